"""What an endpoint is told about each way that an attempt can end."""

import asyncio
from random import Random

import pytest

from mainstay import deadline
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, PolicyMisused
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.adapters.http_clients.turn import Turn
from mainstay.service.outbound.balance import Balancer, Endpoint


def test_each_attempt_goes_to_another_endpoint() -> None:
    balancer = Balancer(["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"], rng=Random(1))
    tried: list[Endpoint] = []
    for _ in range(3):
        with Turn(balancer, tried, patient):
            pass
    assert len(set(tried)) == 3


@pytest.mark.parametrize(
    ("error", "streak"),
    [
        (None, 0),
        (ConnectionLost("p"), 1),
        (AttemptTimedOut("p", 1.0), 1),
        (PolicyMisused("the code's own mistake"), 0),
        (TypeError("another one"), 0),
        (asyncio.CancelledError(), 0),
    ],
)
def test_the_endpoint_is_told_how_it_went(error: BaseException | None, streak: int) -> None:
    balancer = Balancer(["10.0.0.1:80"])
    if error is None:
        with Turn(balancer, [], patient):
            pass
    else:
        with pytest.raises(type(error)), Turn(balancer, [], patient):
            raise error
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (streak, 0)


def test_a_cancellation_when_the_time_is_up_is_its_slowness() -> None:
    balancer = Balancer(["10.0.0.1:80"])
    with deadline(0.0), pytest.raises(asyncio.CancelledError), Turn(balancer, [], patient):
        raise asyncio.CancelledError
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (1, 0)


@pytest.mark.parametrize(
    ("error", "streak"),
    [
        (asyncio.CancelledError(), 0),
        (DeadlineExceeded("p: not done by its deadline", begun=True), 0),
        (ConnectionLost("p"), 1),  # It broke, however late that was.
    ],
)
def test_a_caller_whose_own_time_is_up_says_nothing(error: BaseException, streak: int) -> None:
    balancer = Balancer(["10.0.0.1:80"])
    with deadline(0.0), pytest.raises(type(error)), Turn(balancer, [], lambda: True):
        raise error
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (streak, 0)


def patient() -> bool:
    return False
