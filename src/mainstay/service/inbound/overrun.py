"""When the time of a request is up, its client hears of it at once, whatever the app does.

An asynchronous handler is cancelled. One that works in a thread of anyio, as FastAPI's plain
functions do, can't be, and is not: it keeps its place until its thread is done. Cancelling what
waits for it would give the place and anyio's token back while the thread works on, and requests
that overrun would make threads without end.
"""

from typing import TYPE_CHECKING, Any, Protocol

from mainstay.core.alarm import NOWHERE, Alarm, Lane

if TYPE_CHECKING:
    from asyncio import Task

    from mainstay.core.scope import Scope

_IN_THREAD = "run_sync_in_worker_thread"
"""anyio's, for asyncio: what Starlette and FastAPI await for a plain function."""

_FRAMES_MAX = 512


class Cuttable(Protocol):
    """A request that is answered in the app's place when its time is up."""

    def cut(self) -> None:
        """Answer it, unless it has been."""
        ...


class RequestAlarm(Alarm):
    """The deadline of a request over ASGI.

    Attributes:
        flight: The request.
    """

    __slots__ = ("flight",)

    flight: Cuttable

    def ring(self) -> None:
        """Answer in the app's place; end the app, where it can be ended."""
        self.flight.cut()
        if waits_for_thread(self.task):
            self.parked = NOWHERE
        else:
            Alarm.ring(self)


class RequestLane(Lane):
    """Where the alarms of requests are set."""

    kind = RequestAlarm

    if TYPE_CHECKING:

        def set(
            self, began_s: float, expires_s: float, retrying: tuple[str, ...], outer: Scope | None
        ) -> RequestAlarm:
            """Return an alarm of that kind."""
            ...


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
