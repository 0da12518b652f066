"""Who is admitted, who waits, who is refused; and what counts as a latency."""

import asyncio
import math
import threading
from collections.abc import Callable

import pytest
from tests.service.inbound.admission.made import (
    CRITICAL,
    LOW,
    MEDIUM,
    admission,
    answered,
    exchange,
)

from mainstay.service.inbound.admission import (
    Admission,
    LimitChanged,
    OverloadBegan,
    OverloadEnded,
)
from mainstay.service.inbound.admission.refusals import RETRY_AFTER_S_MAX, TIME_IS_UP
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.shed import Priorities, Shed
from mainstay.testing import Recorder, VirtualClock, virtual_time

ONE = Shed(mode="fixed", limit=1, queue=2, wait_s=1.0)
RANKED = Shed(
    mode="fixed",
    limit=10,
    queue=10,
    priorities=Priorities(critical=("/checkout",), low=("/reports",)),
)


def arrival(**attributes: object) -> Exchange:
    return exchange(VirtualClock.running().monotonic_s(), **attributes)


def retry_after(refusal: Refusal | None) -> int:
    assert refusal is not None
    ((name, value),) = refusal.headers
    assert name == b"retry-after"
    return int(value)


def test_as_many_as_the_limit_are_in_flight() -> None:
    clock = VirtualClock()
    gate = admission(Shed(mode="fixed", limit=3), clock)
    entered = [gate.enter(exchange(0.0)) for _ in range(5)]
    assert entered == [True, True, True, False, False]
    gate.leave(exchange(0.0), 0.0)
    assert gate.enter(exchange(0.0))
    assert gate.stats().in_flight == 3


def test_the_less_important_leave_room_for_the_critical() -> None:
    gate = admission(RANKED, VirtualClock())
    assert sum(gate.enter(exchange(0.0, priority=LOW)) for _ in range(20)) == 7
    assert sum(gate.enter(exchange(0.0, priority=MEDIUM)) for _ in range(20)) == 2
    assert sum(gate.enter(exchange(0.0, priority=CRITICAL)) for _ in range(20)) == 1


@virtual_time
async def test_who_waits_goes_on_when_one_leaves_and_in_order() -> None:
    clock = VirtualClock.running()
    gate = admission(ONE, clock)
    first = arrival()
    assert gate.enter(first)
    waiting = [asyncio.create_task(gate.wait(arrival())) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert gate.stats().waiting == 2
    gate.leave(first, clock.monotonic_s())
    await asyncio.sleep(0.1)
    assert [task.done() for task in waiting] == [True, False]
    assert waiting[0].result() is None
    gate.leave(arrival(), clock.monotonic_s())
    assert await waiting[1] is None
    assert gate.stats().refused == (0, 0, 0, 0)


@virtual_time
async def test_nobody_waits_longer_than_declared() -> None:
    clock = VirtualClock.running()
    gate = admission(ONE, clock)
    assert gate.enter(arrival())
    began_s = clock.monotonic_s()
    refusal = await gate.wait(arrival())
    assert refusal is not None
    assert (refusal.status, refusal.kind) == (503, "overloaded")
    assert clock.monotonic_s() - began_s == pytest.approx(1.0)
    assert gate.stats().refused == (0, 0, 1, 0)
    assert gate.stats().waiting == 0


@virtual_time
async def test_the_queue_is_bounded_and_who_is_too_many_is_refused_at_once() -> None:
    clock = VirtualClock.running()
    gate = admission(ONE, clock)
    assert gate.enter(arrival())
    waiting = [asyncio.create_task(gate.wait(arrival())) for _ in range(2)]
    await asyncio.sleep(0)
    began_s = clock.monotonic_s()
    assert await gate.wait(arrival()) is not None
    assert clock.monotonic_s() == began_s
    assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)


@virtual_time
async def test_a_critical_one_takes_the_place_of_a_low_one_in_a_full_queue() -> None:
    clock = VirtualClock.running()
    gate = admission(Shed(mode="fixed", limit=1, queue=1, header="x-priority"), clock)
    first = arrival(priority=CRITICAL)
    assert gate.enter(first)
    low = asyncio.create_task(gate.wait(arrival(priority=LOW)))
    await asyncio.sleep(0)
    critical = asyncio.create_task(gate.wait(arrival(priority=CRITICAL)))
    refusal = await low
    assert refusal is not None
    assert refusal.kind == "overloaded"
    gate.leave(first, clock.monotonic_s())
    assert await critical is None


@virtual_time
async def test_nobody_passes_one_that_waits_and_matters_as_much() -> None:
    clock = VirtualClock.running()
    gate = admission(RANKED, clock)
    inside = [arrival(priority=CRITICAL) for _ in range(10)]
    assert all(gate.enter(one) for one in inside)
    low = asyncio.create_task(gate.wait(arrival(priority=LOW)))
    await asyncio.sleep(0)
    # There is room again, but none for low ones.
    for one in inside[:2]:
        gate.leave(one, clock.monotonic_s())
    assert not gate.enter(arrival(priority=LOW))
    assert gate.enter(arrival(priority=MEDIUM))
    assert not low.done()
    assert await low is not None


@virtual_time
async def test_a_deadline_ends_the_wait_and_says_so() -> None:
    clock = VirtualClock.running()
    gate = admission(ONE, clock)
    assert gate.enter(arrival())
    began_s = clock.monotonic_s()
    assert await gate.wait(arrival(expires_s=began_s + 0.3)) is TIME_IS_UP
    assert clock.monotonic_s() - began_s == pytest.approx(0.3)
    assert await gate.wait(arrival(expires_s=clock.monotonic_s() - 1.0)) is TIME_IS_UP
    assert gate.stats().waiting == 0


@virtual_time
async def test_a_place_that_comes_after_the_deadline_is_given_on() -> None:
    """It is granted while the loop is busy; then the time is up."""
    clock = VirtualClock.running()
    gate = admission(ONE, clock)
    first = arrival()
    assert gate.enter(first)
    late = asyncio.create_task(gate.wait(arrival(expires_s=clock.monotonic_s() + 0.5)))
    in_time = asyncio.create_task(gate.wait(arrival()))
    await asyncio.sleep(0.1)
    gate.leave(first, clock.monotonic_s())
    clock.advance(0.6)
    assert await late is TIME_IS_UP
    assert await in_time is None
    assert gate.stats().in_flight == 1


@virtual_time
async def test_clients_are_sent_away_for_different_times() -> None:
    gate = admission(Shed(mode="fixed", limit=1, queue=0), VirtualClock.running())
    assert gate.enter(arrival())
    seconds = [retry_after(await gate.wait(arrival())) for _ in range(200)]
    assert set(seconds) == set(range(1, RETRY_AFTER_S_MAX + 1))


@virtual_time
async def test_without_a_queue_a_place_that_got_free_is_taken_all_the_same() -> None:
    clock = VirtualClock.running()
    gate = admission(Shed(mode="fixed", limit=1, queue=0), clock)
    first, second = arrival(), arrival()
    assert gate.enter(first)
    assert not gate.enter(second)
    gate.leave(first, clock.monotonic_s())
    assert await gate.wait(second) is None


def test_what_happens_is_told_in_its_order_whoever_tells_it() -> None:
    """The end of an overload comes in a second thread while the first one tells its beginning."""
    recorder = Recorder()
    gate = admission(ONE, VirtualClock(), recorder)
    began = OverloadBegan(at_s=0.0, limit=1, waiting=1)
    ended = OverloadEnded(at_s=0.0, duration_s=1.0, refused=0)
    heard: list[object] = []

    def hear(event: object) -> None:
        if event is began:
            gate._news.append(ended)
            other = threading.Thread(target=gate._tell)
            other.start()
            other.join(60)
            assert not other.is_alive()
            assert heard == []
        heard.append(event)

    gate._events.add(hear)
    gate._news.append(began)
    gate._tell()
    assert heard == [began, ended]


@virtual_time
async def test_overload_is_told_when_it_begins_and_ends() -> None:
    clock, recorder = VirtualClock.running(), Recorder()
    gate = admission(Shed(mode="fixed", limit=1, queue=10, wait_s=0.1), clock, recorder)
    assert gate.enter(arrival())
    burst = [asyncio.create_task(gate.wait(arrival())) for _ in range(5)]
    for task in burst:
        await asyncio.sleep(0.01)
        gate.leave(arrival(), clock.monotonic_s())
        assert await task is None
    assert recorder.names() == ()
    waiting = []
    for _ in range(100):
        # Each comes before all that were there have gone.
        waiting.append(asyncio.create_task(gate.wait(arrival())))
        await asyncio.sleep(0.004)
    began = recorder.only(OverloadBegan)
    assert gate.stats().overloaded
    await asyncio.gather(*waiting)
    ended = recorder.only(OverloadEnded)
    assert not gate.stats().overloaded
    assert began.limit == 1
    assert began.waiting >= 1
    assert 50 < ended.refused <= 100
    assert ended.duration_s == pytest.approx(0.3, abs=0.02)


def slow_answers(gate: Admission, clock: VirtualClock, latency_s: float, *, windows: int) -> None:
    """Fill the limit with requests that take ``latency_s``, again and again."""
    for _ in range(windows):
        inside = [exchange(clock.monotonic_s()) for _ in range(gate.stats().limit)]
        for one in inside:
            assert gate.enter(one)
        clock.advance(latency_s)
        for one in inside:
            gate.leave(answered(one, clock.monotonic_s()), clock.monotonic_s())


def test_an_adaptive_limit_follows_the_latency_and_is_told() -> None:
    clock, recorder = VirtualClock(), Recorder()
    gate = admission(Shed(), clock, recorder)
    slow_answers(gate, clock, 0.2, windows=2)
    slow_answers(gate, clock, 2.0, windows=6)
    stats = gate.stats()
    assert stats.limit < 100
    assert stats.latency_s == pytest.approx(2.0)
    assert stats.baseline_s == pytest.approx(0.2)
    changes = recorder.of(LimitChanged)
    assert changes[-1].reason == "latency"
    assert changes[-1].limit < changes[-1].before
    assert changes[-1].baseline_s == pytest.approx(0.2)
    assert changes[-1].latency_s == pytest.approx(2.0)


def test_a_fixed_limit_stays() -> None:
    clock, recorder = VirtualClock(), Recorder()
    gate = admission(Shed(mode="fixed", limit=10), clock, recorder)
    for latency_s in (0.2, 20.0):
        slow_answers(gate, clock, latency_s, windows=10)
    assert gate.stats().limit == 10
    assert recorder.names() == ()


def failed(one: Exchange, now_s: float) -> None:
    one.status, one.begun_s = 500, now_s


def raised(one: Exchange, now_s: float) -> None:
    one.status, one.begun_s, one.error = 200, now_s, "ValueError"


def left(one: Exchange, now_s: float) -> None:
    del now_s
    one.error = "CancelledError"


def refused_later(one: Exchange, now_s: float) -> None:
    del now_s
    one.refusal = Refusal.of("idempotency-conflict", "It is on its way.")
    one.status = 409


def no_time(one: Exchange, now_s: float) -> None:
    del now_s
    one.refusal = TIME_IS_UP
    one.status = 504


def missing(one: Exchange, now_s: float) -> None:
    one.status, one.begun_s = 404, now_s


def still_streaming(one: Exchange, now_s: float) -> None:
    one.status, one.begun_s = 200, now_s - 1.5


@pytest.mark.parametrize(
    ("end", "latency_s"),
    [
        (failed, None),
        (raised, None),
        (left, None),
        (refused_later, None),
        (no_time, 2.0),
        (missing, 2.0),
        (still_streaming, 0.5),
    ],
)
def test_what_counts_as_a_latency(
    end: Callable[[Exchange, float], None], latency_s: float | None
) -> None:
    clock = VirtualClock()
    gate = admission(Shed(), clock)
    for _ in range(3):
        inside = [exchange(clock.monotonic_s()) for _ in range(40)]
        for one in inside:
            assert gate.enter(one)
        clock.advance(2.0)
        for one in inside:
            end(one, clock.monotonic_s())
            gate.leave(one, clock.monotonic_s())
    assert gate.stats().in_flight == 0
    assert gate.stats().baseline_s == pytest.approx(latency_s or 0.0)


@virtual_time
async def test_the_wait_for_a_place_is_no_latency() -> None:
    clock = VirtualClock.running()
    gate = admission(Shed(limit=3, queue=100, wait_s=60.0), clock)

    async def request() -> None:
        one = arrival()
        if not gate.enter(one):
            assert await gate.wait(one) is None
        await asyncio.sleep(0.1)
        gate.leave(answered(one, clock.monotonic_s()), clock.monotonic_s())

    await asyncio.gather(*(request() for _ in range(80)))
    assert gate.stats().latency_s == pytest.approx(0.1)


def test_a_leave_without_an_enter_is_a_mistake() -> None:
    gate = admission(Shed(), VirtualClock())
    with pytest.raises(AssertionError, match="each leave has its enter"):
        gate.leave(exchange(0.0), 0.0)


def test_its_snapshot_before_anything_happened() -> None:
    stats = admission(Shed(), VirtualClock()).stats()
    assert (stats.limit, stats.in_flight, stats.waiting) == (100, 0, 0)
    assert (stats.overloaded, stats.probing) == (False, False)
    assert (stats.latency_s, stats.baseline_s, stats.cpu, stats.lag_s) == (0.0, 0.0, 0.0, 0.0)
    assert math.isfinite(stats.cpu)
