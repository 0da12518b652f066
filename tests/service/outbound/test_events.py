"""What is told of a circuit: every change of its state, and of what it does about it."""

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from mainstay import Breaker
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.breaker.circuit import Mode, State
from mainstay.service.outbound.events import BreakerModeChanged, CircuitChanged
from mainstay.service.outbound.plan import Parts

if TYPE_CHECKING:
    from tests.service.outbound.conftest import World

    from mainstay import Policy


def fail() -> None:
    raise ConnectionError


def changes(world: "World") -> list[tuple[State, State]]:
    return [(event.was, event.state) for event in world.recorder.of(CircuitChanged)]


@pytest.mark.parametrize("shadow", [False, True])
def test_every_change_of_state_is_told_once_and_begins_where_the_last_ended(
    world: "World",
    shadow: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    policy = world.policy(
        breaker=Breaker(failures=1, open="1s", open_max="1s", successes=2, shadow=shadow)
    )
    for good in (False, True):
        with pytest.raises(ConnectionError):
            world.call(policy, fail)
        world.clock.sleep(1.0)
        world.call(policy, int)
        if good:
            world.call(policy, int)
    told = changes(world)
    closed, opened, half = State.CLOSED, State.OPEN, State.HALF_OPEN
    again = [(half, opened), (opened, half), (half, closed)]
    assert told == [(closed, opened), (opened, half), *again]
    assert world.recorder.names().count("Probed") == 4


def modes(world: "World") -> list[tuple[Mode, Mode]]:
    return [(event.was, event.mode) for event in world.recorder.of(BreakerModeChanged)]


def test_what_the_operator_does_is_told(world: "World") -> None:
    policy: Policy = world.policy(breaker=Breaker())
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        world.call(policy, int)
    policy.breaker.disable()
    policy.breaker.shadow()
    policy.breaker.enforce()
    policy.breaker.enforce()
    steps = [Mode.ENFORCE, Mode.FORCED_OPEN, Mode.DISABLED, Mode.SHADOW, Mode.ENFORCE]
    assert modes(world) == list(pairwise(steps))


def test_a_change_of_the_declaration_is_told(world: "World") -> None:
    policy = world.policy(breaker=Breaker())
    policy.update(Parts(breaker=Breaker(failures=7)))
    assert modes(world) == []
    policy.update(Parts(breaker=Breaker(failures=7, shadow=True)))
    assert modes(world) == [(Mode.ENFORCE, Mode.SHADOW)]
