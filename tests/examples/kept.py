"""Stores in memory for the shop's services, which the test may take away."""

from collections.abc import Callable
from typing import Any

from tests.service.inbound.ratelimit.kit import Store as Limits

from mainstay.core.errors import StoreUnavailable
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.sessions.memory import MemorySessions
from mainstay.testing.clock import VirtualClock


class Stores:
    """Implements ``Stores``; while ``away``, everything that is asked of them is refused.

    Any: what is asked and answered is the stores' own, and handed on as it is.
    """

    def __init__(self) -> None:
        self.away = False
        self._limits = Limits(VirtualClock())
        self._records = MemoryRecords()
        self._sessions = MemorySessions()

    def limits(self, url: str) -> Any:
        return _Door(self._limits, self)

    def records(self, url: str) -> Any:
        return _Door(self._records, self)

    def sessions(self, url: str) -> Any:
        return _Door(self._sessions, self)

    def breakers(self, url: str) -> Any:
        raise AssertionError(url)

    def close(self) -> None:
        pass


class _Door:
    def __init__(self, store: object, stores: Stores) -> None:
        self._store = store
        self._stores = stores

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def ask(*values: Any, **named: Any) -> Any:
            if self._stores.away:
                raise StoreUnavailable("the store is away", begun=False)
            return method(*values, **named)

        return ask
