"""One connection of a sender of spans: HTTP/1.1, one request at a time, bounded."""

import asyncio
from http import HTTPStatus
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from mainstay.control.traces.answer import Answer, response
from mainstay.control.traces.head import JSON, TOO_LARGE, Head, refusal
from mainstay.control.traces.intake import BODY_BYTES_MAX, Letter

HEAD_BYTES_MAX: Final = 16 * 1024
"""Of a request's line and headers together."""

WIRE_BYTES_MAX: Final = 2 * BODY_BYTES_MAX
"""Of a body with its framing: chunks may be small, and their extensions are read by nobody."""

REQUEST_S: Final = 30.0
"""From a request's first byte to its last."""

LINGER_S: Final = 2.0
"""How long what follows a refused request is thrown away."""

IDLE_S: Final = 300.0
"""Between two requests."""

_NOT_OTLP = Answer(status=HTTPStatus.BAD_REQUEST, said="the request is no HTTP/1.1")


class Owner(Protocol):
    """Who takes what comes."""

    token: str

    def opened(self, connection: "Connection") -> bool:
        """Hear of a connection; return whether there is room for it."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Hear that it is gone."""
        ...

    def came(self, connection: "Connection", letter: Letter) -> None:
        """Take a letter; the connection is answered later."""
        ...

    def room(self, size: int) -> bool:
        """Return whether so many more bytes may be held."""
        ...

    def freed(self, size: int) -> None:
        """Hear that so many bytes are held no more."""
        ...


class Connection(asyncio.Protocol):
    """Reads requests and writes answers.

    Methods named ``on_`` are called by the parser. They only note what they see, since whatever
    they raised would come back as an error of the parser.
    """

    __slots__ = (
        "_answered", "_body", "_busy", "_bytes", "_done", "_fault", "_head", "_headers",
        "_held", "_owner", "_parser", "_timer", "_transport", "_url",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held = 0
        self._busy = False
        self._forget()

    def _forget(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._bytes = 0
        self._head: Head | None = None
        self._body = bytearray()
        self._fault: Answer | None = None
        self._done = False
        self._answered = False

    # What the transport tells -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._owner.opened(self):
            busy = Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, said="too many connections")
            self._answered = True
            self._say(busy, close=True)
            self.close()
            return
        self._wait(IDLE_S)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._answered:
            self._bytes += len(data)
            if self._bytes > WIRE_BYTES_MAX:
                self._too_late()
            return
        if self._busy:
            # One at a time: whoever sends the next request before the answer is no exporter.
            self._refuse(_NOT_OTLP)
            return
        if not self._bytes:
            self._wait(REQUEST_S)
        self._bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fault = self._fault or _NOT_OTLP
        fault = self._fault or self._unbounded()
        if fault is not None:
            self._refuse(fault)
        elif self._done:
            self._hand_over()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        del exc
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if not self._busy:
            self._free()
        self._owner.closed(self)

    # What the parser tells --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Note that a request begins; a second one within one delivery is one too many."""
        if self._done:
            self._fault = _NOT_OTLP

    def on_url(self, url: bytes) -> None:
        """Note a piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; of one that comes again, the last counts."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Decide by the head whether the body is wanted."""
        method = self._parser.get_method()
        head = self._head = Head(method=method, target=self._url, headers=self._headers)
        self._fault = self._fault or refusal(head, self._owner.token)
        if self._fault is None and head.said(b"expect") == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        if self._fault is not None:
            return
        if self._held + len(body) > BODY_BYTES_MAX:
            self._fault = TOO_LARGE
        elif not self._owner.room(len(body)):
            said = "too much is on its way"
            self._fault = Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, said=said)
        else:
            self._held += len(body)
            self._body += body

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        self._done = True

    # Answers ----------------------------------------------------------------------------------

    def answer(self, answer: Answer) -> None:
        """Say what became of the letter, and wait for the next one."""
        self._busy = False
        self._free()
        if self._transport is None or self._answered:
            return
        keep = self._parser.should_keep_alive()
        self._say(answer, close=not keep)
        if keep:
            self._forget()
            self._wait(IDLE_S)
        else:
            self.close()

    def close(self) -> None:
        """Close, after what was written has gone."""
        if self._transport is not None:
            self._transport.close()

    def _hand_over(self) -> None:
        head = self._head
        assert head is not None, "a request that is whole has a head"
        self._busy = True
        if self._timer is not None:
            self._timer.cancel()
        letter = Letter(body=bytes(self._body), encoding=head.encoding, as_json=head.form == JSON)
        self._body = bytearray()
        self._owner.came(self, letter)

    def _refuse(self, answer: Answer) -> None:
        """Answer and close; what else comes is thrown away, within bounds.

        A connection that is closed with bytes unread is reset, and the sender may lose the answer.
        """
        self._answered = True
        self._free()
        self._say(answer, close=True)
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        self._wait(LINGER_S)

    def _unbounded(self) -> Answer | None:
        """Return the fault of more bytes than any request of ours has, whatever they are."""
        if self._head is not None:
            return TOO_LARGE if self._bytes > HEAD_BYTES_MAX + WIRE_BYTES_MAX else None
        if self._bytes <= HEAD_BYTES_MAX:
            return None
        said = f"a head is {HEAD_BYTES_MAX} bytes at most"
        return Answer(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, said=said)

    def _say(self, answer: Answer, *, close: bool) -> None:
        as_json = self._head is not None and self._head.form == JSON
        self._write(response(answer, as_json=as_json, close=close))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _free(self) -> None:
        self._owner.freed(self._held)
        self._held = 0
        self._body = bytearray()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self._transport is not None:
            self._transport.abort()
