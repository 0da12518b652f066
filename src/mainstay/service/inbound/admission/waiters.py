"""Requests that wait for their turn, in a task of any loop or in a thread."""

import asyncio
import threading
from asyncio import AbstractEventLoop


class TaskWaiter:
    """A task that waits.

    Attributes:
        priority: 0 to 3; 0 is critical.
        granted: None while it waits; then whether it may go on.
        future: Done when it need wait no longer.
    """

    __slots__ = ("_loop", "future", "granted", "priority")

    def __init__(self, loop: AbstractEventLoop, priority: int) -> None:
        self._loop = loop
        self.priority = priority
        self.granted: bool | None = None
        self.future: asyncio.Future[None] = loop.create_future()

    def settle(self, *, granted: bool) -> bool:
        """Say how the wait ended; False: its loop was closed, and the task with it."""
        # First of all: a task that is thrown away in this moment must know what it has.
        self.granted = granted
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self.wake()
            return True
        try:
            self._loop.call_soon_threadsafe(self.wake)
        except RuntimeError:
            self.granted = False
            return False
        return True

    def wake(self) -> None:
        """End the wait, however it ended; on its own loop."""
        if not self.future.done():
            self.future.set_result(None)


class ThreadWaiter:
    """A thread that waits.

    Attributes:
        priority: 0 to 3; 0 is critical.
        granted: None while it waits; then whether it may go on.
        settled: Held until the wait has ended.
    """

    __slots__ = ("granted", "priority", "settled")

    def __init__(self, priority: int) -> None:
        self.priority = priority
        self.granted: bool | None = None
        self.settled = threading.Lock()
        self.settled.acquire()

    def settle(self, *, granted: bool) -> bool:
        """Say how the wait ended; the thread is always there to hear it."""
        self.granted = granted
        self.settled.release()
        return True
