"""What every store of records keeps to."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.contract.conftest import Run
from tests.contract.stores.servers import until

from mainstay.core.idempotency import Bid, State
from mainstay.service.inbound.idempotency.records import Records

PRINT, OTHER = b"\x00\xff" * 8, b"\x01" * 16
ANSWER = bytes(range(256)) * 4
TTL_S = 300.0


def bid(
    token: int, *, fingerprint: bytes = PRINT, lease_s: float = 60.0, rerun: bool = False
) -> Bid:
    return Bid(token, fingerprint, lease_s, TTL_S, rerun)


def test_a_free_record_is_taken_once(records: Records, record: str) -> None:
    assert records.begin(record, bid(1)) == (State.OURS, PRINT, None)
    assert records.begin(record, bid(2, fingerprint=OTHER)) == (State.BUSY, PRINT, None)


def test_the_largest_token_is_told_from_its_neighbour(records: Records, record: str) -> None:
    """Lua's numbers are doubles: a token that became one would be its neighbour's, too."""
    records.begin(record, bid(2**62))
    assert not records.finish(record, 2**62 - 1, ANSWER, TTL_S)
    assert records.finish(record, 2**62, ANSWER, TTL_S)


def test_an_answer_is_kept_as_it_is_and_for_good(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    assert records.finish(record, 1, ANSWER, TTL_S)
    assert records.begin(record, bid(2, rerun=True)) == (State.DONE, PRINT, ANSWER)
    assert records.finish(record, 1, b"other", TTL_S)
    assert records.begin(record, bid(2)).answer == ANSWER
    assert not records.release(record, 1)
    assert not records.renew(record, 1, 60.0)
    assert records.begin(record, bid(2)).state is State.DONE


def test_an_empty_answer_is_done_and_may_be_completed(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    assert records.finish(record, 1, b"", TTL_S)
    assert records.begin(record, bid(2)) == (State.DONE, PRINT, b"")
    assert not records.release(record, 1)
    assert records.finish(record, 1, ANSWER, TTL_S)
    assert records.begin(record, bid(2)).answer == ANSWER


def test_a_released_record_is_free(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    assert not records.release(record, 2)
    assert records.release(record, 1)
    assert not records.release(record, 1)
    assert records.begin(record, bid(2, fingerprint=OTHER)).state is State.OURS


def test_a_lease_that_ended_is_a_crash(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    assert records.renew(record, 1, 0.0)
    assert records.begin(record, bid(2)) == (State.CRASHED, PRINT, None)
    assert records.begin(record, bid(2, fingerprint=OTHER, rerun=True)).state is State.CRASHED


def test_a_lease_ends_by_itself(records: Records, record: str) -> None:
    records.begin(record, bid(1, lease_s=0.05))
    until(lambda: records.begin(record, bid(2)).state is State.CRASHED)


def test_a_renewed_lease_goes_on(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    records.renew(record, 1, 0.0)
    assert not records.renew(record, 2, 60.0)
    assert records.renew(record, 1, 60.0)
    assert records.begin(record, bid(2)).state is State.BUSY


def test_who_takes_over_from_a_crash_keeps_out_who_was_there(records: Records, record: str) -> None:
    records.begin(record, bid(1))
    records.renew(record, 1, 0.0)
    assert records.begin(record, bid(2, rerun=True)) == (State.OURS, PRINT, None)
    assert not records.finish(record, 1, b"late", TTL_S)
    assert not records.release(record, 1)
    assert not records.renew(record, 1, 60.0)
    assert records.finish(record, 2, ANSWER, TTL_S)
    assert records.begin(record, bid(3)).answer == ANSWER


def test_a_record_is_forgotten_after_its_time(records: Records, record: str) -> None:
    records.begin(record, Bid(1, PRINT, 60.0, 0.05, False))  # noqa: FBT003  A plain value.
    until(lambda: records.begin(record, bid(2, fingerprint=OTHER)).state is State.OURS)
    records.finish(record, 2, ANSWER, 0.05)
    until(lambda: records.begin(record, bid(3)).state is State.OURS)


def test_of_fifty_threads_one_gets_it(records: Records, record: str) -> None:
    with ThreadPoolExecutor(50) as pool:
        claims = list(pool.map(lambda token: records.begin(record, bid(token)), range(1, 51)))
    assert [claim.state for claim in claims].count(State.OURS) == 1
    assert [claim.state for claim in claims].count(State.BUSY) == 49


def test_of_fifty_tasks_one_gets_it(records: Records, record: str, run: Run) -> None:
    async def all_at_once() -> list[State]:
        asked = [records.abegin(record, bid(token)) for token in range(1, 51)]
        return [claim.state for claim in await asyncio.gather(*asked)]

    states = run(all_at_once())
    assert states.count(State.OURS) == 1
    assert states.count(State.BUSY) == 49


def test_tasks_and_threads_see_the_same_record(records: Records, record: str, run: Run) -> None:
    async def part() -> None:
        assert (await records.abegin(record, bid(1))).state is State.OURS
        assert records.begin(record, bid(2)).state is State.BUSY
        assert await records.arelease(record, 1)
        assert records.begin(record, bid(3)).state is State.OURS
        assert await records.afinish(record, 3, ANSWER, TTL_S)
        assert records.begin(record, bid(4)).answer == ANSWER

    run(part())


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_answers_of_any_size_come_back(records: Records, record: str, size: int) -> None:
    records.begin(record, bid(1))
    records.finish(record, 1, b"x" * size, TTL_S)
    assert records.begin(record, bid(2)).answer == b"x" * size
