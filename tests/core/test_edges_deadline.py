"""Scopes at their edges: what is inherited, what is not, and who may leave."""

import asyncio
import contextvars
import math
from collections.abc import Iterator

import pytest

from mainstay import deadline, detach, remaining_s
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import DeadlineExceeded, PolicyMisused
from mainstay.core.scope import CURRENT, Scope, back, enter, expiry_s, new_scope, restore
from mainstay.testing import VirtualClock, run_virtual


@pytest.fixture
def retried() -> Iterator[Scope]:
    """Make a scope current that two layers retry."""
    scope = new_scope(VirtualClock(), math.inf, ("outer", "inner"), None)
    token = enter(scope)
    yield scope
    back(token)


def here() -> Scope:
    scope = CURRENT.get()
    assert scope is not None
    return scope


def test_a_region_is_retried_by_those_that_retry_what_is_around_it(retried: Scope) -> None:
    with deadline(1.0, clock=VirtualClock()):
        assert (here().retrying, here().outer) == (("outer", "inner"), retried)
    assert here() is retried


def test_detached_code_is_retried_by_nobody_on_the_clock_of_the_system(retried: Scope) -> None:
    with detach():
        scope = here()
        assert (scope.retrying, scope.expires_s, scope.outer) == ((), math.inf, retried)
        assert scope.clock is SYSTEM_CLOCK


def test_a_region_of_nothing_is_retried_by_nobody() -> None:
    with deadline(1.0, clock=VirtualClock()):
        assert (here().retrying, here().outer) == ((), None)


def test_an_asynchronous_region_inherits_as_a_synchronous_one_does(retried: Scope) -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        async with deadline(1.0, clock=clock):
            outer = here()
            assert (outer.retrying, outer.outer) == (("outer", "inner"), retried)
            async with deadline(10.0, clock=clock):
                assert remaining_s() == pytest.approx(1.0)
                assert here().outer is outer
            assert here() is outer
        assert here() is retried

    run_virtual(scenario())


def test_an_asynchronous_region_of_nothing_is_retried_by_nobody() -> None:
    async def scenario() -> None:
        async with deadline(1.0, clock=VirtualClock.running()):
            assert (here().retrying, here().outer) == ((), None)

    run_virtual(scenario())


def test_what_was_cut_off_had_begun() -> None:
    async def scenario() -> None:
        with pytest.raises(DeadlineExceeded) as caught:
            async with deadline(1.0, clock=VirtualClock.running()):
                await asyncio.sleep(5)
        assert caught.value.begun is True
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)

    run_virtual(scenario())


def test_a_region_is_left_by_none_but_itself(retried: Scope) -> None:
    region = deadline(1.0)
    for _ in range(2):
        with pytest.raises(PolicyMisused) as caught:
            region.__exit__(None, None, None)
        said = "regions must be left in the reverse order, and where they were begun"
        assert str(caught.value) == said
        assert here() is retried


def test_a_token_of_another_context_restores_nothing() -> None:
    token = contextvars.copy_context().run(enter, None)
    restore(token)
    assert CURRENT.get() is None


def test_a_token_of_this_context_restores_what_was() -> None:
    token = enter(new_scope(SYSTEM_CLOCK, 1.0, (), None))
    restore(token)
    assert CURRENT.get() is None


def test_what_is_left_is_the_same_by_every_clock() -> None:
    near, far = VirtualClock(monotonic_s=5.0), VirtualClock(monotonic_s=1000.0)
    scope = new_scope(near, 7.0, (), None)
    assert [expiry_s(scope, clock) for clock in (near, far)] == [7.0, 1002.0]
    endless = new_scope(near, math.inf, (), scope)
    assert endless.outer is scope
    assert [expiry_s(one, far) for one in (endless, None)] == [math.inf, math.inf]


def test_a_scope_that_is_no_alarm_interrupts_nobody() -> None:
    scope = new_scope(SYSTEM_CLOCK, 0.0, (), None)
    assert scope.silence(asyncio.CancelledError()) is False
