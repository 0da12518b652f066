"""When the time of a request is up, its client hears of it at once, whatever the app does.

An asynchronous handler is cancelled. One that works in a thread of anyio, as FastAPI's plain
functions do, can't be, and is not: it keeps its place until its thread is done. Cancelling what
waits for it would give the place and anyio's token back while the thread works on, and requests
that overrun would make threads without end.
"""

from threading import get_ident
from typing import TYPE_CHECKING, Any

from mainstay.core.alarm import Alarm, Lane, current_task, running_task

if TYPE_CHECKING:
    from asyncio import Task

_IN_THREAD = "run_sync_in_worker_thread"
"""anyio's, for asyncio: what Starlette and FastAPI await for a plain function."""

_FRAMES_MAX = 512


class RequestLane(Lane):
    """Where the deadlines of requests are set.

    ``arm`` is what ``Lane.set`` does once it has an alarm, written out in both: a call from one to
    the other takes about 20 ns, where setting an alarm and silencing it takes 300 (CPython 3.11).
    """

    __slots__ = ()

    def arm(self, alarm: Alarm, began_s: float) -> None:
        """Have a request's own alarm ring in the current task when it expires; see ``set``.

        Args:
            alarm: The request, a whole scope but for its alarm; it expires at some time.
            began_s: The present time.

        Raises:
            PolicyMisused: No task runs.
        """
        thread, home, opens_s, closes_s, bucket = self._now
        task = current_task(home) if thread == get_ident() else None
        if task is None:
            home, task = None, running_task()
        alarm.task = task
        alarm.cancelling = task.cancelling()
        expires_s, outer = alarm.expires_s, alarm.outer
        if (
            outer is None
            and home is not None
            and opens_s <= expires_s < closes_s
            and expires_s - began_s > self._half_s
        ):
            bucket[alarm] = None
            alarm.parked = bucket
        else:
            self._set_within(alarm, began_s, outer)


def waits_for_thread(task: "Task[Any]") -> bool:
    """Return whether a task waits for a thread of anyio. Any: the task's result is its own."""
    awaited: Any = task.get_coro()
    for _ in range(_FRAMES_MAX):
        code = getattr(awaited, "cr_code", None)
        if code is not None and code.co_name == _IN_THREAD:
            return True
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        if awaited is None:
            return False
    return False
