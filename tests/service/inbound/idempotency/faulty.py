"""Records of which any call may find the store away, before or after it was done."""

from typing import Any

from mainstay.core.errors import StoreUnavailable
from mainstay.service.inbound.idempotency.memory import MemoryRecords


class FaultyRecords(MemoryRecords):
    """Implements ``Records``.

    Attributes:
        calls: Names of what was asked.
        fail_at: Which call fails, counted from 0; None: none does.
        done: Whether a call that fails was done all the same, and only its answer was lost.
        away: Whether all calls fail, and nothing is done.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.calls: list[str] = []
        self.fail_at: int | None = None
        self.done = False
        self.away = False

    def begin(self, *args: Any) -> Any:
        return self._ask("begin", *args)

    def finish(self, *args: Any) -> Any:
        return self._ask("finish", *args)

    def release(self, *args: Any) -> Any:
        return self._ask("release", *args)

    def renew(self, *args: Any) -> Any:
        return self._ask("renew", *args)

    def _ask(self, name: str, *args: Any) -> Any:
        self.calls.append(name)
        fails = self.away or self.fail_at == len(self.calls) - 1
        if fails and not self.done:
            raise StoreUnavailable("away", begun=True)
        found = getattr(MemoryRecords, name)(self, *args)
        if fails:
            raise StoreUnavailable("its answer was lost", begun=True)
        return found
