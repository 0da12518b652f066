"""Threads that go on with the trace of whoever gives them work.

``asyncio.to_thread`` takes a task's context along, ``loop.run_in_executor`` and executors don't: by
themselves, what runs there is in no request, and its spans and lines are in traces of their own.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from mainstay.core.trace import Traced, current_traced, enter_trace, leave_trace

P = ParamSpec("P")
R = TypeVar("R")


class CarryingExecutor(ThreadPoolExecutor):
    """A pool of threads in which the current trace is that of who submitted.

    The trace alone, and no other context variable: whatever a program does by those is as it is
    with the executor of the standard library.
    """

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Have a thread call ``function``, within the trace that is current here."""
        traced = current_traced()
        if traced is None:
            return super().submit(function, *args, **kwargs)
        return super().submit(_within, traced, function, args, kwargs)


def carry_here() -> None:
    """Let the executor of the running event loop carry traces, where it is the usual one.

    One that the program has set is left alone, as far as the loop tells: uvloop does not. To be
    called before the program's own code runs in the loop, so that what that sets counts.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        # Of another library, such as trio, which carries all context by itself.
        return
    if getattr(loop, "_default_executor", None) is None:
        # The name of the threads is the one that they have without us.
        loop.set_default_executor(CarryingExecutor(thread_name_prefix="asyncio"))


def _within(
    traced: Traced, function: Callable[..., R], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> R:
    # Any: what whoever submitted has given.
    token = enter_trace(traced)
    try:
        return function(*args, **kwargs)
    finally:
        leave_trace(token)
