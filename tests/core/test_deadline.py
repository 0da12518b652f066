"""The one deadline: nesting, leaving, and what inherits it."""

import asyncio
import contextvars
import pickle
import threading

import pytest

from mainstay import deadline, detach, remaining_s
from mainstay.core.errors import (
    AttemptTimedOut,
    CallRejected,
    CircuitOpen,
    ConfigInvalid,
    DeadlineExceeded,
    PolicyMisused,
)
from mainstay.core.scope import CURRENT
from mainstay.testing import VirtualClock, run_virtual


def test_nobody_said_means_none() -> None:
    assert remaining_s() is None


def test_a_nested_deadline_is_the_least_of_what_is_left_and_its_own() -> None:
    clock = VirtualClock()
    with deadline("1s", clock=clock):
        clock.advance(0.25)
        with deadline("10s", clock=clock):
            assert remaining_s() == pytest.approx(0.75)
        with deadline(0.5, clock=clock):
            assert remaining_s() == pytest.approx(0.5)
            clock.advance(2)
            assert remaining_s() == 0.0
    assert remaining_s() is None


def test_clocks_of_different_zeros_are_compared_by_what_is_left() -> None:
    near, far = VirtualClock(monotonic_s=5.0), VirtualClock(monotonic_s=1e6)
    with deadline(2.0, clock=far), deadline(60.0, clock=near):
        assert remaining_s() == pytest.approx(2.0)


def test_detached_code_has_no_deadline_and_what_it_begins_has_none() -> None:
    async def scenario() -> None:
        async with deadline("1s", clock=VirtualClock.running()):
            with detach():
                assert remaining_s() is None
                background = asyncio.create_task(asyncio.sleep(5, "sent"))
            assert remaining_s() == pytest.approx(1.0)
        assert await background == "sent"

    run_virtual(scenario())


def test_code_that_is_not_done_in_time_is_cut_off() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        began_s = clock.monotonic_s()

        async def body() -> None:
            async with deadline("800ms", clock=clock):
                await asyncio.sleep(5)

        with pytest.raises(DeadlineExceeded, match=r"not done within 0\.8 s"):
            await body()
        assert clock.monotonic_s() - began_s == pytest.approx(0.8)
        await asyncio.sleep(1)

    run_virtual(scenario())


def test_an_error_of_the_body_stays_what_it_is() -> None:
    async def scenario() -> None:

        async def body() -> None:
            async with deadline("1s", clock=VirtualClock.running()):
                await asyncio.sleep(0.5)
                raise KeyError

        with pytest.raises(KeyError):
            await body()

    run_virtual(scenario())


def test_a_task_inherits_the_deadline_and_is_not_interrupted_by_it() -> None:
    """Only the task that entered is cut off; the other one sees what is left."""

    async def scenario() -> None:
        clock = VirtualClock.running()

        async def child() -> float | None:
            await asyncio.sleep(0.5)
            return remaining_s()

        async with deadline("1s", clock=clock):
            assert await asyncio.create_task(child()) == pytest.approx(0.5)

        async def group_of_one() -> None:
            async with deadline("1s", clock=clock), asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(10))

        with pytest.raises(DeadlineExceeded):
            await group_of_one()

    run_virtual(scenario())


def test_an_expired_deadline_is_over_at_the_first_await() -> None:
    async def scenario() -> None:
        reached = []

        async def body() -> None:
            async with deadline(0, clock=VirtualClock.running()):
                reached.append("the body")
                await asyncio.sleep(0.001)
                reached.append("too far")

        with pytest.raises(DeadlineExceeded):
            await body()
        assert reached == ["the body"]

    run_virtual(scenario())


@pytest.mark.parametrize("within", ["soon", -1, float("nan"), True, None, "400d"])
def test_what_is_no_duration_is_refused(within: object) -> None:
    with pytest.raises(ConfigInvalid):
        deadline(within)  # type: ignore[arg-type]  # The mistake itself.


def test_regions_are_left_in_the_reverse_order() -> None:
    one, other = deadline(1.0), deadline(2.0)
    one.__enter__()
    other.__enter__()
    with pytest.raises(PolicyMisused):
        one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    one.__exit__(None, None, None)
    assert CURRENT.get() is None


def test_a_thread_has_a_deadline_of_its_own_unless_its_context_is_copied() -> None:
    seen = []

    def look() -> None:
        seen.append(remaining_s())

    with deadline(60.0):
        plain = threading.Thread(target=look)
        copied = threading.Thread(target=contextvars.copy_context().run, args=(look,))
        for thread in (plain, copied):
            thread.start()
            thread.join()
    assert seen[0] is None
    assert 0 < (seen[1] or 0) <= 60


def test_errors_survive_a_process_boundary() -> None:
    rejected = pickle.loads(pickle.dumps(CircuitOpen("payments", 3.0)))  # noqa: S301  Our own.
    assert isinstance(rejected, CallRejected)
    assert (rejected.policy, rejected.retry_after_s) == ("payments", 3.0)
    late = pickle.loads(pickle.dumps(DeadlineExceeded("late", begun=False)))  # noqa: S301
    assert (str(late), late.begun) == ("late", False)
    cut = pickle.loads(pickle.dumps(AttemptTimedOut("payments", 0.5)))  # noqa: S301
    assert (cut.policy, cut.after_s) == ("payments", 0.5)
