"""The store fails at each of its calls: the work is done once, and who can't know is told so."""

from collections.abc import Callable

import pytest
from tests.service.inbound.idempotency.drive import Kind
from tests.service.inbound.idempotency.faulty import FaultyRecords

from mainstay.service.inbound.idempotency.events import AnswerNotKept, LeaseLost
from mainstay.testing import VirtualClock

Make = Callable[..., Kind]


def world(make: Make, **options: object) -> tuple[Kind, FaultyRecords]:
    clock = VirtualClock()
    records = FaultyRecords(clock=clock)
    return make(records=records, clock=clock, **options), records


@pytest.mark.parametrize("done", [False, True])
def test_a_key_that_can_not_be_looked_up_does_no_work(make: Make, done: bool) -> None:  # noqa: FBT001
    kind, records = world(make)
    records.fail_at, records.done = 0, done
    reply = kind.ask()
    assert (reply.status, reply.kind) == (503, "store-unavailable")
    assert int(reply.headers["retry-after"]) >= 1
    assert kind.asked == []
    # What may have been taken is set free, so that the next attempt is not told of a crash.
    kind.idempotency.keeper.turn()
    assert kind.ask().status == 201
    assert len(kind.asked) == 1


@pytest.mark.parametrize("done", [False, True])
def test_work_whose_answer_can_not_be_kept_is_answered_and_kept_later(
    make: Make,
    done: bool,  # noqa: FBT001
) -> None:
    kind, records = world(make)
    records.fail_at, records.done = 1, done
    assert kind.ask().status == 201
    assert records.calls == ["begin", "finish"]
    assert [event.reason for event in kind.heard if isinstance(event, AnswerNotKept)] == ["store"]
    kind.idempotency.keeper.turn()
    assert kind.ask().headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1


def test_while_it_is_not_kept_a_repetition_is_told_to_wait_and_then_that_nobody_knows(
    make: Make,
) -> None:
    kind, records = world(make, lease_s=15.0)
    records.fail_at = 1
    kind.ask()
    assert kind.ask().kind == "idempotency-conflict"
    kind.clock.advance(16)
    assert kind.ask().kind == "idempotency-unknown"
    assert len(kind.asked) == 1


@pytest.mark.parametrize("done", [False, True])
def test_a_record_that_can_not_be_set_free_is_set_free_later(make: Make, done: bool) -> None:  # noqa: FBT001
    kind, records = world(make)
    kind.does.status = 500
    records.fail_at, records.done = 1, done
    assert kind.ask().status == 500
    assert records.calls == ["begin", "release"]
    kind.idempotency.keeper.turn()
    kind.does.status = 201
    assert kind.ask().status == 201
    assert len(kind.asked) == 2


def test_what_is_owed_is_asked_again_a_bounded_number_of_times(make: Make) -> None:
    kind, records = world(make)
    records.fail_at = 1
    kind.ask()
    records.away = True
    for _ in range(100):
        kind.idempotency.keeper.turn()
    assert records.calls.count("finish") == 1 + 8


def test_a_request_without_a_key_does_not_need_the_store(make: Make) -> None:
    kind, records = world(make)
    records.away = True
    assert kind.ask(headers={}).status == 201


def test_a_lease_is_renewed_while_the_work_goes_on(make: Make) -> None:
    kind, records = world(make, lease_s=15.0)

    def work() -> None:
        for _ in range(6):
            kind.clock.advance(6)
            kind.idempotency.keeper.turn()

    kind.during = work
    assert kind.ask().status == 201
    assert records.calls.count("renew") == 6
    assert kind.ask().headers["idempotency-replayed"] == "true"


def test_a_renewal_that_fails_is_tried_again_before_the_lease_ends(make: Make) -> None:
    kind, records = world(make, lease_s=15.0)

    def work() -> None:
        kind.clock.advance(6)
        records.away = True
        kind.idempotency.keeper.turn()
        records.away = False
        kind.clock.advance(6)
        kind.idempotency.keeper.turn()
        kind.clock.advance(10)

    kind.during = work
    assert kind.ask().status == 201
    assert kind.ask().headers["idempotency-replayed"] == "true"


def test_who_lost_the_lease_hears_so_and_the_record_is_the_others(make: Make) -> None:
    """A process that stood still for longer than its lease: the other one's answer holds."""
    kind, records = world(make, lease_s=15.0, after_crash="run")
    other = make(records=records, clock=kind.clock, lease_s=15.0, after_crash="run")
    other.does.parts = (b"the other",)

    def stand_still() -> None:
        kind.clock.advance(16)
        in_thread(other.ask)
        kind.idempotency.keeper.turn()

    kind.during = stand_still
    assert kind.ask().body == b"made it"
    told = [event.reason for event in kind.heard if isinstance(event, AnswerNotKept)]
    assert told == ["superseded"]
    assert LeaseLost in [type(event) for event in kind.heard]
    kind.during = lambda: None
    assert kind.ask().body == b"the other"


def in_thread(work: Callable[[], object]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(30)
