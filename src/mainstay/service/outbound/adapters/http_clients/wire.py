"""What a pool tells of the request that it sends: on a new connection, or an idle one."""

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

from mainstay.service.outbound.adapters.http_clients.call import HttpCall


class Wire:
    """``with`` hears what the pool does for one request, in the same task or thread.

    Attributes:
        opened: Whether a connection was to be opened. Where not, an idle one was taken.
        connected: Whether it was opened.
    """

    __slots__ = ("_token", "connected", "opened")

    def __init__(self) -> None:
        self.opened = False
        self.connected = False
        self._token: Token[Wire | None] | None = None

    def __enter__(self) -> Self:
        self._token = _WIRE.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._token is not None, "left only when entered"
        _WIRE.reset(self._token)

    @property
    def never_sent(self) -> bool:
        """Whether there was no connection to send anything on."""
        return self.opened and not self.connected

    def was_stale(self, call: HttpCall) -> bool:
        """Return whether a request that broke off is sent again at once, on another connection.

        It is where an idle connection broke, which the server had closed then, and where the
        request may be repeated. Charged to no budget: there is at most one such request for an
        answer that came on the connection before, so they can't multiply the load of a server
        that fails.
        """
        if self.opened or not call.repeats:
            return False
        call.reconnected()
        return True


_WIRE: ContextVar[Wire | None] = ContextVar("mainstay_wire", default=None)


def note_opening() -> None:
    """Say that a connection is being opened."""
    wire = _WIRE.get()
    if wire is not None:
        wire.opened = True


def note_connected() -> None:
    """Say that it is open."""
    wire = _WIRE.get()
    if wire is not None:
        wire.connected = True
