"""What tests of requests in threads share: a server that lends its answers, and a service."""

import threading
from typing import TYPE_CHECKING, Any

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.telling import Telling
from mainstay.service.inbound.wsgi.watch import ANSWER_KEY
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound

if TYPE_CHECKING:
    from mainstay.core.events import Event


class Server:
    """Takes the first answer, from whichever thread, as Granian does; or the app's alone.

    Args:
        lends: Whether another thread may answer.

    Attributes:
        given: What another thread answered: status, headers in lower case, body.
        answered: Set when it has.
        begun: The status lines of the app's own answers.
    """

    def __init__(self, *, lends: bool = True) -> None:
        self._lends = lends
        self.given: list[tuple[int, dict[str, str], bytes]] = []
        self.answered = threading.Event()
        self.begun: list[str] = []

    def answer(self, status: int, headers: Any, body: bytes) -> None:
        self.given.append((status, {name.lower(): value for name, value in headers}, body))
        self.answered.set()

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> None:
        self.begun.append(status)

    def ask(self, app: Any, path: str = "/", **more: Any) -> bytes:
        """Ask an app, and return the body that it has in the end."""
        environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": path, **more}
        if self._lends:
            environ[ANSWER_KEY] = self.answer
        body = app(environ, self.start_response)
        try:
            return b"".join(body)
        finally:
            if hasattr(body, "close"):
                body.close()


class World:
    """A service by the machine's clock, since a thread can't live in virtual time.

    Attributes:
        told: Status, size and problem of each request that has ended.
        failed: Errors that nobody handled.
        events: What listeners heard.
    """

    def __init__(self, inbound: Inbound, clock: Clock = SYSTEM_CLOCK) -> None:
        self.told: list[tuple[int, int, str | None]] = []
        self.failed: list[BaseException] = []
        self.events: list[Event] = []
        self.service = Service(
            Declaration(service="shop", app="shop:app", inbound=inbound),
            environ={},
            clock=clock,
            telling=Telling(observer=self, failed=lambda _, error: self.failed.append(error)),
        )
        self.service.events.add(self.events.append)

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Take note, as an observer."""
        refusal = exchange.refusal
        self.told.append((exchange.status, exchange.size, refusal.kind if refusal else None))

    @property
    def in_flight(self) -> tuple[int, int]:
        """How many hold a place of admission, and how many the drain waits for."""
        admission = self.service._inbound.admission
        assert admission is not None
        return admission.stats().in_flight, len(self.service._inbound.drain.flights)
