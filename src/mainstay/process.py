"""What joins the rooms in the process of a user's service, as ``cli/wiring.py`` does in ours.

The planes don't know each other: ``service`` names ports, ``state`` has what fits them. Whoever
takes ``mainstay.Service`` gets both.
"""

import threading
from collections.abc import Callable, Mapping

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.service import service
from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.ratelimit.store import LimitStore
from mainstay.service.inbound.sessions.records import SessionRecords
from mainstay.service.outbound.shared import BreakerStore
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration


class Service(service.Service):
    """One service, in its own process, with the stores that its declaration names.

    ::

        service = Service.load()
        app = service.asgi(FastAPI())

    Args:
        declaration: What the service declares.
        clock: Where time comes from; None takes the machine's.
        environ: Where the engine's words are found; None takes this process's environment.
        write_access: Takes one access line at a time; None writes to stdout.
        stores: Makes the stores that the declaration names; None: those of ``mainstay.state``.
    """

    def __init__(
        self,
        declaration: Declaration,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        write_access: Callable[[bytes], object] | None = None,
        stores: Stores | None = None,
    ) -> None:
        super().__init__(
            declaration,
            clock=clock,
            environ=environ,
            write_access=write_access,
            stores=LateStores(clock or SYSTEM_CLOCK) if stores is None else stores,
        )


class LateStores:
    """The stores of ``mainstay.state``, which is imported when the first is asked for.

    Most services name none, and start without it; a live change may name the first.

    Args:
        clock: Where time comes from.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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

                self._stores = StateStores(clock=self._clock)
            return self._stores
