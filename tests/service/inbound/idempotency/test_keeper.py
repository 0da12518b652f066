"""The thread that keeps leases alive."""

import threading

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.idempotency import Bid, State
from mainstay.service.inbound.idempotency.keeper import Keeper
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.idempotency.records import Records
from mainstay.testing import VirtualClock

PRINT = b"\x07" * 16


def made(records: Records, lease_s: float = 15.0, clock: VirtualClock | None = None) -> Keeper:
    return Keeper(
        records,
        lease_s=lease_s,
        held_max=10,
        clock=clock or SYSTEM_CLOCK,
        on_lost=lambda _: None,
    )


class Counting(MemoryRecords):
    """Says when a lease was renewed often enough."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed = 0
        self.enough = threading.Event()

    def renew(self, record: str, token: int, lease_s: float) -> bool:
        self.renewed += 1
        if self.renewed >= 3:
            self.enough.set()
        return super().renew(record, token, lease_s)


def test_its_thread_renews_what_is_held_and_begins_when_something_is() -> None:
    records = Counting()
    keeper = made(records, lease_s=0.06)
    assert keeper._thread is None
    records.begin("a", Bid(1, PRINT, 3600.0, 3600.0, False))  # noqa: FBT003
    keeper.hold("a", 1)
    assert records.enough.wait(30)
    keeper.close()


def test_what_is_owed_is_paid_by_the_thread() -> None:
    records, paid = MemoryRecords(), threading.Event()
    keeper = made(records)
    keeper.owe(lambda _: paid.set())
    assert paid.wait(30)
    keeper.close()


def test_a_closed_keeper_ends_its_thread_and_starts_none() -> None:
    keeper = made(MemoryRecords())
    keeper.hold("a", 1)
    thread = keeper._thread
    assert thread is not None
    keeper.close()
    thread.join(30)
    assert not thread.is_alive()


def test_debts_are_bounded_and_the_oldest_go_first() -> None:
    keeper = made(MemoryRecords())
    keeper.close()
    paid: list[int] = []
    for number in range(300):
        keeper.owe(lambda _, number=number: paid.append(number))  # type: ignore[misc]  # A bound default.
    keeper.turn()
    assert paid == list(range(44, 300))


def test_what_is_dropped_is_not_renewed() -> None:
    clock = VirtualClock()
    records = MemoryRecords(clock=clock)
    keeper = made(records, clock=clock)
    keeper.close()
    records.begin("a", Bid(1, PRINT, 15.0, 3600.0, False))  # noqa: FBT003
    keeper.hold("a", 1)
    keeper.drop(1)
    clock.advance(14)
    keeper.turn()
    clock.advance(2)
    assert records.begin("a", Bid(2, PRINT, 15.0, 3600.0, False)).state is State.CRASHED  # noqa: FBT003


def test_a_forked_child_holds_nothing_of_its_parent() -> None:
    """Tested without a fork, which a process with threads should not make: by what it calls."""
    keeper = made(MemoryRecords())
    keeper.hold("a", 1)
    parents = keeper._thread
    keeper._begin_anew()
    assert keeper._held == {}
    keeper.hold("b", 2)
    assert keeper._thread is not parents
    keeper.close()
