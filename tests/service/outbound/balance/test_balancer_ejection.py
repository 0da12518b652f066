"""Who is left out by the balancer, for how long, and how one returns."""

from collections import Counter
from random import Random

import pytest
from tests.service.outbound.balance.three import THREE, active, fail

from mainstay.core.events import Listeners
from mainstay.service.outbound.balance import (
    Balancer,
    Ejection,
    Endpoint,
    EndpointEjected,
    EndpointReturned,
    Way,
)
from mainstay.testing import Recorder, VirtualClock


def away(balancer: Balancer) -> list[str]:
    return [str(one.endpoint) for one in balancer.endpoints() if one.returns_in_s is not None]


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
