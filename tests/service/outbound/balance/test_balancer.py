"""The balancer as its users meet it: picks, leases, ejections, events, threads."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import CallRejected
from mainstay.core.events import Event, Listeners
from mainstay.service.outbound.balance import (
    Balancer,
    Ejection,
    Endpoint,
    EndpointEjected,
    EndpointReturned,
    EndpointsChanged,
    NoEndpoint,
    Way,
)
from mainstay.testing import Recorder, VirtualClock

THREE = ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
WAYS: tuple[Way, ...] = get_args(Way)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def events(recorder: Recorder) -> Listeners:
    listeners = Listeners()
    listeners.add(recorder)
    return listeners


def fail(balancer: Balancer, endpoint: str, *, times: int) -> None:
    """Let calls to one endpoint fail, by excluding the others."""
    others = [one for one in map(Endpoint.parse, THREE) if str(one) != endpoint]
    for _ in range(times):
        lease = balancer.pick(exclude=others, key="k")
        assert str(lease.endpoint) == endpoint
        lease.failed()


def active(balancer: Balancer) -> int:
    return sum(state.active for state in balancer.endpoints())


def away(balancer: Balancer) -> list[str]:
    return [str(one.endpoint) for one in balancer.endpoints() if one.returns_in_s is not None]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_counts_calls_in_flight(way: Way) -> None:
    balancer = Balancer(THREE, by=way)
    leases = [balancer.pick(key=str(number)) for number in range(30)]
    assert active(balancer) == 30
    for number, lease in enumerate(leases):
        (lease.succeeded, lease.failed, lease.cancelled)[number % 3]()
    assert active(balancer) == 0


@pytest.mark.parametrize("way", WAYS)
def test_the_same_seed_chooses_the_same(way: Way, clock: VirtualClock) -> None:
    def choices(seed: int) -> list[str]:
        balancer = Balancer(THREE, by=way, clock=clock, rng=Random(seed))
        chosen = []
        for number in range(50):
            lease = balancer.pick(key=str(number))
            chosen.append(str(lease.endpoint))
            lease.succeeded(0.01 * (number % 7))
        return chosen

    assert choices(1) == choices(1)
    assert len(set(choices(1))) == 3


@pytest.mark.parametrize("way", WAYS)
@given(tries=st.integers(1, 6))
def test_a_retry_goes_elsewhere_as_long_as_there_is_elsewhere(way: Way, tries: int) -> None:
    balancer = Balancer(THREE, by=way)
    tried: list[Endpoint] = []
    for _ in range(tries):
        with balancer.pick(exclude=tried, key="k") as lease:
            tried.append(lease.endpoint)
    assert len(set(tried)) == min(tries, 3)


def test_the_first_word_of_a_lease_counts() -> None:
    balancer = Balancer(THREE[:1])
    with balancer.pick() as lease:
        lease.succeeded()
        lease.failed()
    lease.cancelled()
    (state,) = balancer.endpoints()
    assert (state.active, state.streak) == (0, 0)


def test_a_lease_left_open_is_cancelled() -> None:
    """Whatever was raised: only ``failed()`` says that the endpoint is to blame."""
    balancer = Balancer(THREE[:1])
    for error in (KeyError, asyncio.CancelledError, KeyboardInterrupt):
        with pytest.raises(error), balancer.pick():
            raise error
    (state,) = balancer.endpoints()
    assert (state.active, state.streak) == (0, 0)


def test_cancelled_calls_never_eject(clock: VirtualClock) -> None:
    balancer = Balancer(THREE, clock=clock, ejection=Ejection(failures=1, calls_min=1))
    for _ in range(1_000):
        balancer.pick().cancelled()
    assert away(balancer) == []


def test_failures_eject_and_time_returns(
    clock: VirtualClock, recorder: Recorder, events: Listeners
) -> None:
    balancer = Balancer(
        THREE, name="catalog", clock=clock, events=events, ejection=Ejection(time_s=10)
    )
    fail(balancer, THREE[0], times=4)
    assert away(balancer) == []
    fail(balancer, THREE[0], times=1)
    assert away(balancer) == [THREE[0]]
    chosen = Counter(str(balancer.pick().endpoint) for _ in range(200))
    assert set(chosen) == set(THREE[1:])
    clock.advance(9.999)
    balancer.pick().cancelled()
    assert away(balancer) == [THREE[0]]
    clock.advance(0.001)
    balancer.pick().cancelled()
    assert away(balancer) == []
    ejected = recorder.only(EndpointEjected, dependency="catalog", endpoint=THREE[0])
    assert (ejected.reason, ejected.away_s, ejected.nth) == ("streak", 10, 1)
    recorder.only(EndpointReturned, dependency="catalog", endpoint=THREE[0])
    assert recorder.names() == ("EndpointEjected", "EndpointReturned")


def test_a_share_of_failures_ejects(clock: VirtualClock, recorder: Recorder) -> None:
    """Never two in a row, yet every second call fails."""
    events = Listeners()
    events.add(recorder)
    balancer = Balancer(THREE[:2], by="round_robin", clock=clock, events=events)
    for number in range(60):
        lease = balancer.pick()
        bad = str(lease.endpoint) == THREE[0] and number % 4 < 2
        lease.failed() if bad else lease.succeeded(0.01)
    assert recorder.only(EndpointEjected).reason == "share"
    assert away(balancer) == [THREE[0]]


def test_successes_and_failures_are_told_apart(clock: VirtualClock) -> None:
    """A third of the calls fails: nobody is ejected, and nobody would be by counting alone."""
    balancer = Balancer(THREE, clock=clock, ejection=Ejection(failures=2, share=0.4, calls_min=5))
    others = [Endpoint.parse(text) for text in THREE[1:]]
    for number in range(300):
        lease = balancer.pick(exclude=others)
        lease.failed() if number % 3 == 2 else lease.succeeded()
    assert away(balancer) == []


def test_the_only_endpoint_is_never_ejected() -> None:
    balancer = Balancer(THREE[:1], ejection=Ejection(failures=1, share_max=1.0))
    for _ in range(50):
        balancer.pick().failed()
    assert away(balancer) == []


def test_a_late_answer_changes_nothing(clock: VirtualClock) -> None:
    """Calls begun before the ejection end after the return: neither good nor bad news."""
    balancer = Balancer(THREE, clock=clock, ejection=Ejection(failures=2, share=None, time_s=10))
    others = [Endpoint.parse(text) for text in THREE[1:]]
    late = [balancer.pick(exclude=others) for _ in range(6)]
    late[0].failed()
    late[1].failed()
    assert away(balancer) == [THREE[0]]
    late[2].failed()
    clock.advance(10)
    balancer.pick().cancelled()
    late[3].failed()
    late[4].failed()
    assert balancer.endpoints()[0].streak == 0
    fail(balancer, THREE[0], times=1)
    late[5].succeeded()
    assert balancer.endpoints()[0].streak == 1, "a late success forgives nothing"
    assert active(balancer) == 0


def test_the_wall_set_back_changes_nothing(clock: VirtualClock) -> None:
    balancer = Balancer(THREE, clock=clock, ejection=Ejection(failures=1, time_s=10))
    fail(balancer, THREE[0], times=1)
    clock.set_wall(0.0)
    clock.advance(10)
    balancer.pick().cancelled()
    assert away(balancer) == []


def test_without_ejection_nobody_leaves() -> None:
    balancer = Balancer(THREE, ejection=None)
    for _ in range(100):
        balancer.pick().failed()
    assert away(balancer) == []


@pytest.mark.parametrize("way", ["round_robin", "weighted", "least_requests", "two_choices"])
def test_a_returner_starts_slowly(way: Way, clock: VirtualClock) -> None:
    """A tenth at first, its whole third after the slow start; without one, at once."""

    def share_of_returner(slow_start_s: float, later_s: float) -> float:
        ejection = Ejection(failures=1, time_s=10, slow_start_s=slow_start_s)
        balancer = Balancer(THREE, by=way, clock=clock, ejection=ejection, rng=Random(1))
        fail(balancer, THREE[0], times=1)
        clock.advance(10)
        balancer.pick().cancelled()
        clock.advance(later_s)
        chosen: Counter[str] = Counter()
        for _ in range(3_000):
            lease = balancer.pick()
            chosen[str(lease.endpoint)] += 1
            lease.succeeded()
        return chosen[THREE[0]] / 3_000

    assert share_of_returner(20, 0.0) < 0.1
    assert share_of_returner(20, 20.0) == pytest.approx(1 / 3, abs=0.04)
    assert share_of_returner(0, 0.0) == pytest.approx(1 / 3, abs=0.04)


def test_a_newcomer_starts_slowly_but_the_first_set_does_not(clock: VirtualClock) -> None:
    ejection = Ejection(slow_start_s=20)
    balancer = Balancer(THREE[:2], by="round_robin", clock=clock, ejection=ejection, rng=Random(1))

    def share_of(endpoint: str) -> float:
        chosen = Counter(str(balancer.pick().endpoint) for _ in range(3_000))
        return chosen[endpoint] / 3_000

    assert share_of(THREE[0]) == pytest.approx(1 / 2, abs=0.01)
    balancer.replace(THREE)
    assert share_of(THREE[2]) < 0.1
    clock.advance(10)
    assert 0.1 < share_of(THREE[2]) < 0.3
    clock.advance(10)
    assert share_of(THREE[2]) == pytest.approx(1 / 3, abs=0.01)


def test_keys_do_not_wander_in_a_slow_start(clock: VirtualClock) -> None:
    ejection = Ejection(failures=1, time_s=10, slow_start_s=60)
    balancer = Balancer(THREE, by="rendezvous", clock=clock, ejection=ejection)
    keys = [str(number) for number in range(100)]
    before = [balancer.pick(key=key).endpoint for key in keys]
    fail(balancer, THREE[0], times=1)
    clock.advance(10)
    assert [balancer.pick(key=key).endpoint for key in keys] == before


def test_a_new_set_is_taken_and_told(recorder: Recorder, events: Listeners) -> None:
    balancer = Balancer(THREE[:2], name="catalog", events=events)
    lease = balancer.pick()
    balancer.replace(THREE[1:])
    lease.succeeded()
    assert {str(balancer.pick().endpoint) for _ in range(50)} == set(THREE[1:])
    changed = recorder.only(EndpointsChanged, dependency="catalog")
    assert (changed.added, changed.removed) == ((THREE[2],), (THREE[0],))
    balancer.replace(THREE[1:])
    assert recorder.count(EndpointsChanged) == 1, "the same set again is no change"


def test_a_smaller_set_takes_the_ejected_back(
    clock: VirtualClock, recorder: Recorder, events: Listeners
) -> None:
    balancer = Balancer(THREE, clock=clock, events=events, ejection=Ejection(failures=1))
    fail(balancer, THREE[0], times=1)
    balancer.replace(THREE[:1])
    assert str(balancer.pick().endpoint) == THREE[0]
    recorder.only(EndpointReturned, endpoint=THREE[0])


def test_nobody_to_call_is_a_rejection() -> None:
    """It never left this process, so a policy may say so or try elsewhere."""
    balancer = Balancer(name="catalog")
    with pytest.raises(NoEndpoint, match="catalog: no endpoint is known") as caught:
        balancer.pick()
    assert isinstance(caught.value, CallRejected)
    balancer.replace(THREE)
    assert str(balancer.pick().endpoint) in THREE


def test_an_unknown_way_is_told_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"'best' is no way to balance: round_robin, .* are"):
        Balancer(THREE, by="best")  # type: ignore[arg-type]  # What a user may write.


def test_rendezvous_without_a_key_leaves_nothing_in_flight() -> None:
    balancer = Balancer(THREE, by="rendezvous")
    with pytest.raises(ValueError, match="needs a key"):
        balancer.pick()
    assert active(balancer) == 0
    balancer.pick(key="k").succeeded()
    assert active(balancer) == 0, "and the lock is free again"


def test_a_listener_may_ask_the_balancer(clock: VirtualClock) -> None:
    """Listeners are called without the lock, else this would hang."""
    heard: list[int] = []
    events = Listeners()
    balancer = Balancer(THREE, clock=clock, events=events, ejection=Ejection(failures=1))

    def listen(event: Event) -> None:
        balancer.pick().cancelled()
        heard.append(len(balancer.endpoints()))
        assert event.at_s == clock.wall_s()

    events.add(listen)
    fail(balancer, THREE[0], times=1)
    balancer.replace(THREE[:2])
    assert heard == [3, 2]


@pytest.mark.parametrize("latency_s", [-1.0, float("nan"), float("inf")])
def test_a_latency_that_is_none_poisons_nothing(latency_s: float, clock: VirtualClock) -> None:
    balancer = Balancer(THREE, by="least_response_time", clock=clock, rng=Random(1))
    for _ in range(9):
        balancer.pick().succeeded(latency_s)
    clock.advance(1_000)
    for _ in range(200):
        balancer.pick().succeeded(0.01)
    assert {str(balancer.pick().endpoint) for _ in range(200)} == set(THREE)


def test_the_time_is_measured_where_none_is_given(clock: VirtualClock) -> None:
    balancer = Balancer(THREE[:1], by="least_response_time", clock=clock)
    lease = balancer.pick()
    clock.advance(0.25)
    lease.succeeded()
    (member,) = balancer._roster.serving
    assert member.cost_s == 0.25


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Let threads be interrupted about every instruction instead of every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize("way", WAYS)
def test_eight_threads_leave_nothing_in_flight(way: Way) -> None:
    """Picks, all ends, double ends, ejections and new sets at once; then the counts agree."""
    balancer = Balancer(THREE, by=way, ejection=Ejection(failures=2, time_s=0.001, time_max_s=0.01))
    picked = Counter[str]()
    errors: list[BaseException] = []
    lock = threading.Lock()

    def work(seed: int) -> None:
        rng = Random(seed)
        mine = Counter[str]()
        try:
            for number in range(500):
                with balancer.pick(key=str(number)) as lease:
                    mine[str(lease.endpoint)] += 1
                    rng.choice([lease.succeeded, lease.failed, lease.cancelled])()
                    lease.failed()
                if seed == 0 and number % 50 == 0:
                    balancer.replace(THREE[: 2 + number % 100 // 50])
        except BaseException as error:
            errors.append(error)
            raise
        with lock:
            picked.update(mine)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(picked.values()) == 4_000
    balancer.replace(THREE)
    assert active(balancer) == 0


@pytest.mark.usefixtures("switching_often")
def test_eight_threads_get_exact_weights() -> None:
    balancer = Balancer(
        [Endpoint(host="a", port=1, weight=3), Endpoint(host="b", port=1)], by="weighted"
    )
    picked: list[str] = []

    def work() -> None:
        for _ in range(500):
            with balancer.pick() as lease:
                picked.append(lease.endpoint.host)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(picked) == {"a": 3_000, "b": 1_000}


def drive(coroutine: Coroutine[Any, Any, None], *, cancel_at: int) -> bool:
    """Step a coroutine by hand and cancel it at its nth suspension; return whether it got there."""
    try:
        for _ in range(cancel_at):
            coroutine.send(None)
        coroutine.throw(asyncio.CancelledError())
    except StopIteration:
        return False
    except asyncio.CancelledError:
        return True
    raise AssertionError("the cancellation was swallowed")


def test_cancellation_at_every_await_leaves_nothing_in_flight() -> None:
    balancer = Balancer(THREE, ejection=Ejection(failures=1, calls_min=1))

    async def call() -> None:
        tried: list[Endpoint] = []
        for attempt in range(3):
            with balancer.pick(exclude=tried) as lease:
                tried.append(lease.endpoint)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if attempt == 2:
                    lease.succeeded()

    reached = 0
    while drive(call(), cancel_at=reached + 1):
        reached += 1
        assert active(balancer) == 0
        assert away(balancer) == []
    assert reached == 6
