"""Keeps the leases of a process alive, and pays later what a store could not take at once.

A thread and no task: a handler that blocks its loop is alive, and its lease must be, too.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mainstay.core.clock import Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.service.inbound.idempotency.records import Records

Lost = Callable[[str], None]
"""Told the name of a record that was being renewed and is not ours any more."""

_DEBTS_MAX = 256
_TRIES_MAX = 8
"""A third of a lease apart: until somebody else could have taken the record anyway, and beyond."""


@dataclass(slots=True, kw_only=True)
class _Held:
    record: str
    due_s: float


@dataclass(slots=True, kw_only=True)
class _Debt:
    pay: Callable[[Records], object]
    tries: int = 0


class Keeper:
    """Renews what is held. Safe to share between threads.

    Args:
        records: The store.
        lease_s: Of each record that is held.
        held_max: So many are held at once; one more is refused.
        clock: Times the renewals.
        on_lost: See ``Lost``; called in the keeper's thread, must not raise.
    """

    def __init__(
        self, records: Records, *, lease_s: float, held_max: int, clock: Clock, on_lost: Lost
    ) -> None:
        self._records = records
        self._lease_s = lease_s
        self._held_max = held_max
        self._now_s = clock.monotonic_s
        self._on_lost = on_lost
        self._closed = False
        self._held: dict[int, _Held] = {}
        self._debts: list[_Debt] = []
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # A child that was forked off works on none of its parent's requests, and has no thread.
        os.register_at_fork(after_in_child=self._begin_anew)

    def hold(self, record: str, token: int) -> bool:
        """Renew a lease that begins about now until ``drop``. False: too many are held."""
        if len(self._held) >= self._held_max:
            return False
        # One operation of a dict, so that no lock is needed on the way of a request.
        self._held[token] = _Held(record=record, due_s=self._now_s() + self._lease_s / 3)
        # Looked at after it was added: else a thread that finds nothing might sleep over it.
        if len(self._held) == 1:
            self._rouse()
        return True

    def drop(self, token: int) -> None:
        """Renew it no longer."""
        self._held.pop(token, None)

    def owe(self, pay: Callable[[Records], object]) -> None:
        """Ask a store for something now, and again later while it doesn't answer.

        Bounded in number and in tries: who owes too much lets the oldest go, and what becomes of
        those records the ends of their leases decide.
        """
        with self._lock:
            del self._debts[: max(0, len(self._debts) + 1 - _DEBTS_MAX)]
            self._debts.append(_Debt(pay=pay))
        self._rouse()

    def close(self) -> None:
        """End the thread; leases are renewed no longer."""
        self._closed = True
        self._wake.set()

    def turn(self) -> None:
        """Renew what is due and pay what is owed, once."""
        now_s = self._now_s()
        for token, held in list(self._held.items()):
            if held.due_s <= now_s and token in self._held:
                self._renew(token, held, now_s)
        with self._lock:
            debts, self._debts = self._debts, []
        unpaid = [debt for debt in debts if not self._pays(debt)]
        with self._lock:
            self._debts[:0] = unpaid

    def _renew(self, token: int, held: _Held, now_s: float) -> None:
        try:
            ours = self._records.renew(held.record, token, self._lease_s)
        except StoreUnavailable:
            # It is due still: the next turn tries again, and two more until the lease ends.
            return
        held.due_s = now_s + self._lease_s / 3
        # Whoever dropped it meanwhile had finished or released it.
        if not ours and self._held.pop(token, None) is not None:
            self._on_lost(held.record)

    def _pays(self, debt: _Debt) -> bool:
        try:
            debt.pay(self._records)
        except StoreUnavailable:
            debt.tries += 1
            return debt.tries >= _TRIES_MAX
        return True

    def _begin_anew(self) -> None:
        self._held, self._debts = {}, []
        self._wake, self._lock = threading.Event(), threading.Lock()
        self._thread = None

    def _rouse(self) -> None:
        """Wake the thread, after making it where there is none yet."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._run, name="mainstay-leases", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            self.turn()
            busy = self._held or self._debts
            self._wake.wait(self._lease_s / 6 if busy else None)
