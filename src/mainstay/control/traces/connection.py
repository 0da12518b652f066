"""One connection of a sender of spans: HTTP/1.1, one request at a time, bounded."""

import asyncio
import hmac
from http import HTTPStatus
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from mainstay.control.traces.answer import Answer, response
from mainstay.control.traces.door import PATH
from mainstay.control.traces.intake import BODY_BYTES_MAX, ENCODINGS, Letter

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

_JSON: Final = "application/json"
_FORMS: Final = frozenset({"application/x-protobuf", _JSON})

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
        "_answered", "_body", "_busy", "_bytes", "_done", "_fault", "_head_done", "_headers",
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
        self._head_done = False
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
            self._write(response(busy, as_json=False, close=True))
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
        self._head_done = True
        self._fault = self._fault or self._refused_head()
        if self._fault is None and self._header(b"expect").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        if self._fault is not None:
            return
        if self._held + len(body) > BODY_BYTES_MAX:
            self._fault = _too_large()
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
        self._write(response(answer, as_json=self._as_json(), close=not keep))
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
        self._busy = True
        if self._timer is not None:
            self._timer.cancel()
        letter = Letter(
            body=bytes(self._body),
            encoding=self._header(b"content-encoding").lower(),
            as_json=self._as_json(),
        )
        self._body = bytearray()
        self._owner.came(self, letter)

    def _refuse(self, answer: Answer) -> None:
        """Answer and close; what else comes is thrown away, within bounds.

        A connection that is closed with bytes unread is reset, and the sender may lose the answer.
        """
        self._answered = True
        self._free()
        self._write(response(answer, as_json=self._as_json(), close=True))
        if self._transport is not None and self._transport.can_write_eof():
            self._transport.write_eof()
        self._wait(LINGER_S)

    def _refused_head(self) -> Answer | None:
        """Return why the body is not wanted; who is not ours learns nothing but that."""
        if not self._is_ours():
            return Answer(status=HTTPStatus.UNAUTHORIZED, said="the sender is not known here")
        if self._url.partition(b"?")[0] != PATH.encode("ascii"):
            return Answer(status=HTTPStatus.NOT_FOUND, said=f"only {PATH} is here")
        if self._parser.get_method() != b"POST":
            return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, said="spans are POSTed")
        length = self._header(b"content-length")
        if length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
            return _too_large()
        return self._refused_form()

    def _is_ours(self) -> bool:
        shown = self._headers.get(b"authorization", b"")
        return hmac.compare_digest(shown, b"Bearer " + self._owner.token.encode("ascii"))

    def _refused_form(self) -> Answer | None:
        said = ""
        if self._form() not in _FORMS:
            said = f"a body is one of {', '.join(sorted(_FORMS))}"
        elif self._header(b"content-encoding").lower() not in ENCODINGS:
            said = "a body is not compressed, or gzip, or deflate"
        return Answer(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, said=said) if said else None

    def _unbounded(self) -> Answer | None:
        """Return the fault of more bytes than any request of ours has, whatever they are."""
        if self._head_done:
            return _too_large() if self._bytes > HEAD_BYTES_MAX + WIRE_BYTES_MAX else None
        if self._bytes <= HEAD_BYTES_MAX:
            return None
        said = f"a head is {HEAD_BYTES_MAX} bytes at most"
        return Answer(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, said=said)

    def _as_json(self) -> bool:
        return self._form() == _JSON

    def _form(self) -> str:
        return self._header(b"content-type").partition(";")[0].strip().lower()

    def _header(self, name: bytes) -> str:
        return self._headers.get(name, b"").decode("latin-1").strip()

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


def _too_large() -> Answer:
    return Answer(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        said=f"a body is {BODY_BYTES_MAX} bytes at most",
    )
