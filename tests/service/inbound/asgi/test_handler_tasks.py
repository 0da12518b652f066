"""A handler that a framework runs in a task of its own ends alone, whatever it raises."""

import asyncio
from typing import Any

import pytest

from mainstay.service.inbound.asgi.handler_tasks import begin_asking, end_asking
from mainstay.service.inbound.handler_ended import HandlerEnded


async def leave() -> None:
    raise SystemExit(3)


async def framework() -> str | None:
    """Run a handler as Quart does; return by what it ended."""
    asking = begin_asking()
    try:
        task = asyncio.ensure_future(leave())
        await asyncio.wait([task])
    finally:
        end_asking(asking)
    error = task.exception()
    return None if error is None else f"{type(error).__name__} of {error.__cause__!r}"


def test_a_system_exit_ends_the_task_and_not_the_loop() -> None:
    assert asyncio.run(framework()) == "HandlerEnded of SystemExit(3)"


def test_tasks_of_others_are_as_ever() -> None:
    """Also in a loop whose tasks are looked at, and of a request that has ended."""

    async def other() -> None:
        await framework()
        await asyncio.ensure_future(leave())

    with pytest.raises(SystemExit):
        asyncio.run(other())


def test_a_factory_that_was_there_makes_the_tasks() -> None:
    made: list[str] = []

    def factory(loop: Any, coro: Any, **how: Any) -> Any:
        made.append(coro.__qualname__)
        return asyncio.Task(coro, loop=loop, **how)

    async def asked() -> str | None:
        asyncio.get_running_loop().set_task_factory(factory)
        return await framework()

    assert HandlerEnded.__name__ in (asyncio.run(asked()) or "")
    assert made[0] == "_alone"
