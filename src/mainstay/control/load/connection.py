"""One HTTP/1.1 connection: a request at a time, its answer read to the end and thrown away.

Deliberately without what clients usually do: nothing is sent twice, nothing waits its turn, no
redirect is followed. What goes wrong is told as it is.
"""

import asyncio
from typing import Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from mainstay.control.load.exchange import Exchange, Failure, Outcome

HEAD_BYTES_MAX = 64 * 2**10
"""Status line and headers, interim responses included; more is a failure."""
INTERIM_MAX = 16
"""Interim (1xx) responses before the one that counts."""


class Owner(Protocol):
    """Who lends a connection out."""

    response_bytes_max: int

    def finished(self, exchange: Exchange, outcome: Outcome) -> None:
        """Hear how an exchange ended; called once for each one begun."""
        ...

    def idle(self, connection: "Connection") -> None:
        """Hear that a connection may be used again."""
        ...

    def lost(self, connection: "Connection") -> None:
        """Hear that a connection is closed."""
        ...

    def stray(self) -> None:
        """Hear that bytes came which no request had asked for."""
        ...


class Connection(asyncio.Protocol):
    """A connection and the response that it is reading.

    Methods named ``on_`` are called by the parser. They only note what they see, since whatever
    they raised would come back as an error of the parser.
    """

    __slots__ = (
        "_body_bytes", "_complete", "_exchange", "_framed", "_head_bytes", "_head_done",
        "_interim", "_keep", "_owner", "_parser", "_status", "_stray", "_transport", "_used",
    )  # fmt: skip

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._used = 0
        self._forget()

    def _forget(self) -> None:
        self._status = self._head_bytes = self._body_bytes = self._interim = 0
        self._head_done = self._framed = self._complete = self._keep = self._stray = False

    def begin(self, exchange: Exchange) -> None:
        """Send a request; nothing else may be on the connection."""
        assert self._exchange is None, "one request at a time"
        assert self._transport is not None, "a connection is lent out once it is open"
        self._forget()
        self._exchange = exchange
        self._used += 1
        if self._transport.is_closing():
            self._owner.lost(self)
            self.fail(Failure.RESET, "the connection was closed as soon as it was open")
            return
        self._transport.write(exchange.wire)

    def fail(self, failure: Failure, detail: str) -> None:
        """End the exchange and the connection."""
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            self._owner.finished(exchange, Outcome(failure=failure, detail=detail))

    def abort(self) -> None:
        """Close at once; what is not yet written is dropped."""
        if self._transport is not None:
            self._transport.abort()

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # cast: uvloop's transports have the methods but not the base class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer."""
        if self._exchange is None:
            self._owner.stray()
            self.abort()
            return
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._refuse("the server switched protocols")
        except HttpParserError as error:
            self._refuse(f"not HTTP: {error}")
        if self._complete:
            self._finish()
        elif self._exchange is not None:
            self._bound()

    def _refuse(self, sentence: str) -> None:
        # Behind a complete response it is no longer the response that is wrong.
        if self._complete:
            self._stray = True
        else:
            self.fail(Failure.PROTOCOL, sentence)

    def _bound(self) -> None:
        if self._interim > INTERIM_MAX:
            self.fail(Failure.PROTOCOL, f"more than {INTERIM_MAX} interim responses")
        elif not self._head_done and self._head_bytes > HEAD_BYTES_MAX:
            self.fail(Failure.PROTOCOL, f"more than {HEAD_BYTES_MAX} bytes of headers")
        elif self._body_bytes > self._owner.response_bytes_max:
            self.fail(
                Failure.PROTOCOL, f"a body of more than {self._owner.response_bytes_max} bytes"
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """Settle what was on its way."""
        self._owner.lost(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if exc is None and self._head_done and not self._framed:
            # Without a length the end of the connection is the end of the body (RFC 9112, 6.3).
            self._owner.finished(exchange, Outcome(status=self._status))
            return
        if self._head_bytes:
            detail = "closed before its response was complete"
        elif self._used > 1:
            detail = f"closed before any response, on a connection used {self._used - 1} times"
        else:
            detail = "closed before any response, on a new connection"
        if exc is not None:
            detail = f"{detail}: {exc.__class__.__name__}"
        self._owner.finished(exchange, Outcome(failure=Failure.RESET, detail=detail))

    def _finish(self) -> None:
        exchange, self._exchange = self._exchange, None
        assert exchange is not None, "a response is read only while one is awaited"
        assert self._transport is not None
        if self._stray:
            self._owner.stray()
            self.abort()
        # A response that came before its request was written leaves the rest of it in the way.
        elif self._keep and not self._transport.get_write_buffer_size():
            if exchange.bodiless:
                # The old parser still waits for the body that the headers announced.
                self._parser = HttpResponseParser(self)
            self._owner.idle(self)
        else:
            self._transport.close()
        self._owner.finished(exchange, Outcome(status=self._status))

    # What the parser says.

    def on_message_begin(self) -> None:
        """Note a second response."""
        self._stray = self._stray or self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note whether the headers say where the body ends."""
        del value
        if len(name) in (14, 17) and name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = self._framed or not self._complete

    def on_headers_complete(self) -> None:
        """Note the status; without a body the response is complete."""
        if self._complete:
            return
        self._status = self._parser.get_status_code()
        self._head_done = self._status >= 200  # noqa: PLR2004  1xx are interim.
        if self._head_done and self._exchange is not None and self._exchange.bodiless:
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Count the body; behind a HEAD there is none."""
        self._body_bytes += len(body)
        self._stray = self._stray or self._complete

    def on_message_complete(self) -> None:
        """Note the end, unless the response was an interim one."""
        if self._complete:
            return
        if self._head_done:
            self._complete = True
            self._keep = self._parser.should_keep_alive()
        else:
            self._interim += 1
            self._framed = False
