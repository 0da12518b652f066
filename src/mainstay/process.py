"""What joins the rooms in the process of a user's service, as ``cli/wiring.py`` does in ours.

The planes don't know each other: ``service`` names ports, ``state`` and ``telemetry`` have what
fits them. Whoever takes ``mainstay.Service`` gets all.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.events import Listeners
from mainstay.service import service
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.asgi.types import AsgiApp
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.ratelimit.caller import told_by
from mainstay.service.inbound.ratelimit.store import LimitStore
from mainstay.service.inbound.sessions.records import SessionRecords
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.service.inbound.wsgi.types import WsgiApp
from mainstay.service.outbound.breaker.shared import BreakerStore
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.telemetry import Telemetry


class Service(service.Service):
    """One service, in its own process, with its stores, and with what it tells of itself.

    ::

        service = Service.load()
        app = service.asgi(FastAPI())
        orders = service.counter("orders", "Orders that were placed.")

    ``load`` lets every line that this process logs go to the logs of the service, whoever says it;
    a service that is made from a declaration leaves other people's loggers alone.

    Args:
        declaration: What the service declares.
        clock: Where time comes from; None takes the machine's.
        environ: Where the engine's words are found; None takes this process's environment.
        stores: Makes the stores that the declaration names; None: those of ``mainstay.state``.
        writer: Where log lines go; None: stdout.

    Attributes:
        telemetry: Its logs, metrics, traces and error reports.
        log: The service's own logger; ``mainstay.get_logger(__name__)`` makes further ones.
        counter: Makes a counter of the service's own; see ``Registry.counter``.
        gauge: Likewise a gauge.
        histogram: Likewise a histogram.

    Raises:
        ConfigInvalid: The endpoint of traces or the DSN of error reports is none.
        PartMissing: Error reports are declared, and sentry-sdk is not installed.
    """

    def __init__(
        self,
        declaration: Declaration,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        stores: Stores | None = None,
        writer: Writer | None = None,
    ) -> None:
        clock = clock or SYSTEM_CLOCK
        events = Listeners()
        self.telemetry = telemetry = Telemetry(
            declaration, clock=clock, environ=environ, events=events, writer=writer, user=self._user
        )
        super().__init__(
            declaration,
            clock=clock,
            environ=environ,
            stores=LateStores(clock, events) if stores is None else stores,
            events=events,
            telling=telemetry.telling(),
        )
        self.log = telemetry.log
        registry = telemetry.registry
        self.counter, self.gauge = registry.counter, registry.gauge
        self.histogram = registry.histogram
        logs = telemetry.logs
        if telemetry.metrics is not None:
            telemetry.metrics.watch(
                drain=self._inbound.drain,
                checks=self._board,
                admission=self._inbound.admission,
                policies=self._dependencies.made,
                lines_missing=None if logs is None else lambda: logs.missing,
            )
        self.on_stop(telemetry.close, stage="telemetry")

    @classmethod
    def load(cls, path: str | Path | None = None, *, env: str | None = None) -> Self:
        """Read the declaration of this process's service; join its logs.

        Args:
            path: A file or its folder; None takes $MAINSTAY_DECLARATION, else ./mainstay.yaml.
                Where that is a system, $MAINSTAY_SERVICE says which of its services this is.
            env: Which overlay (``mainstay.<env>.yaml``) lies over it; None as the door decides.

        Raises:
            ConfigInvalid: With every fault of the file, or because nobody said which service.
            PartMissing: As above.
        """
        loaded = super().load(path, env=env)
        loaded.telemetry.join()
        return loaded

    def asgi(self, app: AsgiApp) -> AsgiShell:
        """Return ``app`` with everything around it that the declaration has."""
        self.telemetry.watch(app)
        return super().asgi(app)

    def wsgi(self, app: WsgiApp) -> WsgiShell:
        """Return ``app`` with everything around it that the declaration has."""
        self.telemetry.watch(app)
        return super().wsgi(app)

    def capture(self, error: BaseException) -> str | None:
        """Report an error that was handled; return the id of the report, or None: not sent.

        An error is reported once, whoever comes first. Without ``telemetry.errors`` none is.
        """
        reports = self.telemetry.reports
        return None if reports is None else reports.capture(error)

    def _user(self, exchange: Exchange) -> str | None:
        """Return who asks, as the function of ``limit_key("user")`` knows them."""
        key = self._limit_keys.get("user")
        try:
            return None if key is None else told_by(key, exchange)
        except Exception:  # noqa: BLE001  A user's function may raise anything, and an error is being told.
            return None


class LateStores:
    """The stores of ``mainstay.state``, which is imported when the first is asked for.

    Most services name none, and start without it; a live change may name the first.

    Args:
        clock: Where time comes from.
        events: Told when a store goes away and when it is back.
    """

    def __init__(self, clock: Clock, events: Listeners) -> None:
        self._clock = clock
        self._events = events
        self._lock = threading.Lock()
        self._stores: Stores | None = None

    def limits(self, url: str) -> LimitStore:
        """Return what counts requests for all replicas."""
        return self._made().limits(url)

    def records(self, url: str) -> Records:
        """Return what keeps the answers to idempotency keys."""
        return self._made().records(url)

    def sessions(self, url: str) -> SessionRecords:
        """Return what keeps sessions."""
        return self._made().sessions(url)

    def breakers(self, url: str) -> BreakerStore:
        """Return where circuits tell each other."""
        return self._made().breakers(url)

    def close(self) -> None:
        """Close all that were made."""
        if self._stores is not None:
            self._stores.close()

    def _made(self) -> Stores:
        with self._lock:
            if self._stores is None:
                from mainstay.state.stores import Stores as StateStores  # noqa: PLC0415

                self._stores = StateStores(clock=self._clock, events=self._events)
            return self._stores
