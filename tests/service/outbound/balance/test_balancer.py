"""The balancer as its users meet it: picks, leases, new sets, events."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.outbound.balance.three import THREE, WAYS, active, fail

from mainstay.core.errors import CallRejected
from mainstay.core.events import Event, Listeners
from mainstay.service.outbound.balance import (
    Balancer,
    Ejection,
    Endpoint,
    EndpointReturned,
    EndpointsChanged,
    NoEndpoint,
    Way,
)
from mainstay.testing import Recorder, VirtualClock


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
