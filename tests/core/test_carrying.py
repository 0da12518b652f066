"""Traces in executors: real loops, real pools."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random

import pytest

from mainstay.core.carrying import CarryingExecutor, carry_here
from mainstay.core.trace import Trace, arrive, current_trace, enter_trace, leave_trace

OTHER = contextvars.ContextVar("other", default="unset")


@contextmanager
def tracing(seed: int = 1) -> Iterator[Trace]:
    """Be within a trace."""
    trace = arrive(Random(seed))
    token = enter_trace(trace)
    try:
        yield trace
    finally:
        leave_trace(token)


def test_a_pool_sees_the_trace_of_who_submits_and_nothing_else() -> None:
    with CarryingExecutor(1) as pool:
        with tracing() as mine:
            OTHER.set("set")
            assert pool.submit(current_trace).result(30) is mine
            assert list(pool.map(lambda _: current_trace(), range(3))) == [mine] * 3
            assert pool.submit(OTHER.get).result(30) == "unset"
        assert pool.submit(current_trace).result(30) is None, "a thread is nobody's afterwards"


def test_what_is_submitted_gets_its_arguments_and_its_errors_come_back() -> None:
    def work(one: int, *, two: int) -> int:
        return one // two

    with CarryingExecutor(1) as pool, tracing():
        assert pool.submit(work, 6, two=3).result(30) == 2
        with pytest.raises(ZeroDivisionError):
            pool.submit(work, 6, two=0).result(30)
        assert pool.submit(current_trace).result(30) == current_trace()


def test_many_at_once_see_each_their_own() -> None:
    """Law: whichever thread works for whom, ids are those of who gave the work."""
    barrier = threading.Barrier(4)

    def work() -> Trace | None:
        barrier.wait(30)
        return current_trace()

    given, futures = [], []
    with CarryingExecutor(4) as pool:
        for seed in range(1, 41):
            with tracing(seed) as mine:
                given.append(mine)
                futures.append(pool.submit(work))
        assert [future.result(30) for future in futures] == given


async def test_the_executor_of_a_loop_carries() -> None:
    loop = asyncio.get_running_loop()
    with tracing():
        assert await loop.run_in_executor(None, current_trace) is None, "as Python has it"
    own = asyncio.new_event_loop()

    async def within() -> list[object]:
        carry_here()
        with tracing() as mine:
            name = await own.run_in_executor(None, threading.current_thread)
            return [
                mine is await own.run_in_executor(None, current_trace),
                mine is await asyncio.to_thread(current_trace),
                name.name.startswith("asyncio_"),
            ]

    def run() -> list[object]:
        try:
            return own.run_until_complete(within())
        finally:
            own.run_until_complete(own.shutdown_default_executor())
            own.close()

    assert await asyncio.to_thread(run) == [True, True, True]


async def test_an_executor_that_a_program_has_set_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="theirs") as theirs:
        loop.set_default_executor(theirs)
        carry_here()
        name = await loop.run_in_executor(None, threading.current_thread)
        assert name.name.startswith("theirs")


def test_where_no_event_loop_of_asyncio_runs_nothing_happens() -> None:
    carry_here()
