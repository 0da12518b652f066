"""No ``SystemExit`` of a handler leaves the task that its framework runs it in.

asyncio lets one out of whatever task raises it, and out of the loop, which ends the process with
everyone who is being answered. Around a handler that runs in the request's own task the shell
stands; around one that Quart or Django runs in another, only who makes the tasks can.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from mainstay.service.inbound.handler_ended import HandlerEnded

_asking: set["asyncio.Task[Any]"] = set()
"""Tasks that run a framework, of all loops; bounded by the requests in flight. Any: any result."""


class _Factory:
    """Makes tasks as its loop did before, and the ones of frameworks so that they end alone."""

    __slots__ = ("_before",)

    def __init__(self, before: Any) -> None:
        # Any: what a loop says of a factory differs between versions.
        self._before = before

    def __call__(self, loop: asyncio.AbstractEventLoop, coro: Any, **how: Any) -> Any:
        """Return a task. Any: of whatever result, made in whatever way."""
        if asyncio.current_task(loop) in _asking and asyncio.iscoroutine(coro):
            coro = _alone(coro)
        if self._before is not None:
            return self._before(loop, coro, **how)
        return asyncio.Task(coro, loop=loop, **how)


async def _alone(handler: Coroutine[Any, Any, Any]) -> Any:
    """Return what a handler does. Any: as its own."""
    try:
        return await handler
    except SystemExit as error:
        raise HandlerEnded("the handler ended by SystemExit") from error


def begin_asking() -> "asyncio.Task[Any] | None":
    """Note that the current task runs a framework from now on; return it for ``end_asking``."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    if not isinstance(before, _Factory):
        loop.set_task_factory(_Factory(before))
    task = asyncio.current_task(loop)
    if task is not None:
        _asking.add(task)
    return task


def end_asking(task: "asyncio.Task[Any] | None") -> None:
    """Note that it does so no more."""
    if task is not None:
        _asking.discard(task)
