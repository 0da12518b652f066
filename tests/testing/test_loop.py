"""Virtual time: what waits for time works; what waits for the world is refused."""

import asyncio
import contextvars
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstay.core.clock import SystemClock
from mainstay.testing import (
    Deadlocked,
    RealWaitRefused,
    RunEndless,
    VirtualClock,
    run_virtual,
    virtual_time,
)

YEAR_S = 365 * 86_400.0


def test_years_pass_in_no_time() -> None:
    """A hundred years of daily sleeps; the time of the machine hardly moves."""
    clock = VirtualClock()

    async def century() -> None:
        for _ in range(100 * 365):
            await asyncio.sleep(86_400)

    begun_s = SystemClock().monotonic_s()
    first_s = clock.monotonic_s()
    run_virtual(century(), clock=clock)
    assert clock.monotonic_s() == first_s + 100 * YEAR_S
    assert SystemClock().monotonic_s() - begun_s < 100


@given(
    start_s=st.floats(0, 300 * YEAR_S),
    delays_s=st.lists(st.floats(0, 10 * YEAR_S), min_size=1, max_size=20),
)
@example(start_s=0.7, delays_s=[1.25, 1.4747354909424146e-16])
def test_each_timer_fires_at_its_moment(start_s: float, delays_s: list[float]) -> None:
    """Never before its moment, never after it, in order, however late in time it is."""
    clock = VirtualClock(monotonic_s=start_s)
    fired: list[tuple[float, float]] = []

    def note(due_s: float) -> None:
        fired.append((due_s, clock.monotonic_s()))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for delay_s in delays_s:
            due_s = start_s + delay_s
            loop.call_at(due_s, note, due_s)
        await asyncio.sleep(max(delays_s))
        await asyncio.sleep(0)

    run_virtual(main(), clock=clock, steps_max=20_000)
    assert [due_s for due_s, _ in fired] == sorted(start_s + delay_s for delay_s in delays_s)
    assert all(due_s == at_s for due_s, at_s in fired)


@virtual_time
async def test_timeouts_are_exact() -> None:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await asyncio.sleep(1.6)
    assert loop.time() - begun_s == 1.5
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 2.5)
    assert loop.time() - begun_s == 4.0
    async with asyncio.timeout(1.6):
        await asyncio.sleep(1.5)


@virtual_time
async def test_tasks_share_one_time() -> None:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    async with asyncio.TaskGroup() as group:
        for delay_s in range(1_000):
            group.create_task(asyncio.sleep(delay_s))
    assert loop.time() - begun_s == 999


@virtual_time
async def test_a_blocking_sleep_of_the_clock_makes_timers_due() -> None:
    woken: list[float] = []
    clock = VirtualClock.running()
    asyncio.get_running_loop().call_later(5, lambda: woken.append(clock.monotonic_s()))
    before_s = clock.monotonic_s()
    clock.sleep(30)
    # The loop looks at its timers when its turn ends, and calls them in the next one.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert woken == [before_s + 30]


@virtual_time
async def test_no_context_variable_is_lost() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(1)
    async with asyncio.timeout(1):
        await asyncio.sleep(0.5)
        assert variable.get() == 1

    async def child() -> int:
        await asyncio.sleep(0.5)
        return variable.get()

    assert await asyncio.create_task(child()) == 1


def test_a_deadlock_names_who_waits_and_where() -> None:
    async def consumer(queue: "asyncio.Queue[int]") -> None:
        await queue.get()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(consumer(asyncio.Queue()), name="the consumer")

    with pytest.raises(Deadlocked, match=r"the consumer in consumer \(.*test_loop\.py:\d+\)"):
        run_virtual(main())


def test_a_deadlock_of_many_is_told_shortly() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(500):
                group.create_task(asyncio.Event().wait())

    with pytest.raises(Deadlocked, match="and 491 more") as caught:
        run_virtual(main())
    assert len(str(caught.value)) < 5_000


def test_a_run_without_end_is_ended() -> None:
    cleaned: list[bool] = []

    async def main() -> None:
        try:
            while True:  # noqa: ASYNC110  A loop that never ends is the point.
                await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            cleaned.append(True)

    with pytest.raises(RunEndless, match="no end after 1,000 turns"):
        run_virtual(main(), steps_max=1_000)
    assert cleaned == [True], "what the run left behind was cancelled in order"


async def _connect() -> object:
    return await asyncio.open_connection("127.0.0.1", 1)


async def _serve() -> object:
    return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def _thread() -> object:
    return await asyncio.to_thread(threading.get_ident)


async def _name() -> object:
    return await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def _process() -> object:
    return await asyncio.create_subprocess_exec("true")


async def _receive() -> object:
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0)
        return await asyncio.get_running_loop().sock_recv(near, 1)


@pytest.mark.parametrize("wait", [_connect, _serve, _thread, _name, _process, _receive])
def test_real_waits_are_refused(wait: Callable[[], Awaitable[object]]) -> None:
    async def main() -> object:
        return await wait()

    with pytest.raises(RealWaitRefused, match="waits for the real world") as caught:
        run_virtual(main())
    assert isinstance(caught.value, NotImplementedError), "portable code goes its other way"


def test_every_wait_that_the_base_leaves_open_is_refused() -> None:
    """Of a newer Python's loop too: no method may fall through to a bare NotImplementedError."""
    from mainstay.testing.loop import _REFUSED

    harmless = {"set_task_factory", "remove_signal_handler"}
    for name, function in vars(asyncio.AbstractEventLoop).items():
        inherited = getattr(asyncio.BaseEventLoop, name, function)
        if not name.startswith("_") and inherited is function and name not in harmless:
            assert name in _REFUSED, f"{name} is neither implemented nor refused"


def test_another_thread_is_refused() -> None:
    refused: list[Exception] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(lambda: None)
            except RealWaitRefused as error:
                refused.append(error)

        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
        own = asyncio.Event()
        loop.call_soon_threadsafe(own.set)
        await own.wait()

    run_virtual(main())
    assert [str(error) for error in refused] == [
        "another thread called into a loop with virtual time"
    ]


def test_two_runs_are_one() -> None:
    """The same program does the same in the same order at the same moments."""

    async def worker(name: int, story: list[Any]) -> None:
        for step in range(20):
            await asyncio.sleep(((name * 7 + step * 3) % 5) / 10)
            story.append((name, step, asyncio.get_running_loop().time()))

    async def main() -> list[Any]:
        story: list[Any] = []
        async with asyncio.TaskGroup() as group:
            for name in range(20):
                group.create_task(worker(name, story))
        return story

    first = run_virtual(main())
    assert len(first) == 400
    assert run_virtual(main()) == first


def test_time_goes_on_over_two_runs_on_one_clock() -> None:
    clock = VirtualClock(monotonic_s=10.0)
    run_virtual(asyncio.sleep(5), clock=clock)
    run_virtual(asyncio.sleep(5), clock=clock)
    assert clock.monotonic_s() == 20.0


def test_the_decorator_keeps_name_and_arguments() -> None:
    @virtual_time
    async def double(number: int) -> int:
        """Docs."""
        await asyncio.sleep(1)
        return number * 2

    assert double(4) == 8
    assert (double.__name__, double.__doc__) == ("double", "Docs.")
