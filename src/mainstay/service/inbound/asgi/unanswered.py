"""Handlers that end by neither an answer nor an error, and whose doing that was.

A handler may end by ``SystemExit``, by a cancellation that nobody asked for (that of a task which
it waited for), or may just return. None of these may reach the server: it would say 500 in words of
its own, say nothing, or end the process with everyone who is being answered.
"""

import asyncio

from mainstay.service.inbound.asgi.types import Receive
from mainstay.service.inbound.handler_ended import HandlerEnded

_LOOK_S = 0.05
"""So long a server may take to say that its client has left; it knows, or it waits for more."""

_MESSAGES_MAX = 64
"""So many parts of a body that nobody has read may stand before that."""


def is_own_cancellation() -> bool:
    """Return whether a cancellation that arrives in the current task is its handler's own.

    It is where nobody has asked the task to end: then something that it waited for was cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() == 0


async def expect_left(receive: Receive) -> None:
    """Look whether the client of an app that has returned without an answer has left.

    Args:
        receive: The server's; nobody else reads any more.

    Raises:
        HandlerEnded: It is there, and waits.
    """
    if not await _has_left(receive):
        raise HandlerEnded("the app returned without an answer")


async def _has_left(receive: Receive) -> bool:
    for _ in range(_MESSAGES_MAX):
        asked = asyncio.ensure_future(receive())
        try:
            await asyncio.wait([asked], timeout=_LOOK_S)
        finally:
            asked.cancel()
        if not asked.done() or asked.cancelled() or asked.exception() is not None:
            return False
        if asked.result()["type"] == "http.disconnect":
            return True
    return False
