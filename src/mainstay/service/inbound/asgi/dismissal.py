"""Ending a handler that its framework runs in a task of its own.

Quart and Django's ASGI handler start a task for the handler, another one that listens whether the
client has left, and wait for either. Who cancels them cancels that waiting alone: the handler goes
on with its work, for nobody. So when the time is up such a framework is told that the client has
left, which it takes for what it is: it cancels the handler and waits until it has ended.
"""

import asyncio
from typing import Any

from mainstay.core.alarm import RANG
from mainstay.service.inbound.asgi.handler_tasks import begin_asking, end_asking
from mainstay.service.inbound.asgi.types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import EXCHANGE_KEY
from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.problems.failure import OVERRAN
from mainstay.service.inbound.problems.refusal import Refused

FRAMEWORKS = frozenset(("quart", "django"))

GRACE_S = 1.0
"""So long the framework may take to end its handler; then it is cancelled as others are."""


def ends_by_disconnect(app: AsgiApp) -> bool:
    """Return whether an app is one of those frameworks'."""
    return any(kind.__module__.partition(".")[0] in FRAMEWORKS for kind in type(app).__mro__)


class Dismissing:
    """An ASGI app around an app of those frameworks; the shell's innermost.

    Args:
        app: Their app.
    """

    __slots__ = ("_app",)

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any type.

        Raises:
            Refused: The time was up, and the app has ended without an answer.
            HandlerEnded: It has ended so although its client is there.
        """
        flight = scope.get(EXCHANGE_KEY)
        if flight is None or not getattr(flight, "armed", False):
            # Nothing bounds it: a websocket, a lifespan.
            await self._app(scope, receive, send)
            return
        messages = _Messages(receive)
        asked = _Asked(flight.task, messages)
        flight.task = asked
        asking = begin_asking()
        try:
            await self._app(scope, messages.receive, send)
        finally:
            end_asking(asking)
            asked.end()
        if flight.status == 0:
            if flight.parked is RANG:
                raise Refused(OVERRAN)
            if not messages.has_left and not flight.is_cut:
                # A handler that was cancelled, and by nobody outside. Not asked of the server: its
                # answer means nothing once a framework has cancelled who was asking (Granian).
                raise HandlerEnded("the app returned without an answer")


class _Messages:
    """What the server says, until the app is told that the client has left."""

    __slots__ = ("_dismissed", "_reader", "_receive", "_waking", "has_left")

    def __init__(self, receive: Receive) -> None:
        # Whether the server has said that the client left.
        self.has_left = False
        self._receive = receive
        # Who waits for a message: a task of the framework's own, as a rule.
        self._reader: asyncio.Task[Any] | None = None
        self._dismissed = False
        self._waking = False

    def dismiss(self) -> None:
        """Say that the client has left, now and from now on."""
        self._dismissed = True
        if self._reader is not None:
            self._waking = True
            self._reader.cancel()

    async def receive(self) -> Message:
        """Return what the server says, or that the client has left."""
        if self._dismissed:
            return {"type": "http.disconnect"}
        reader = self._reader = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            # Ours, taken back: a task for each message, to wait for two things, costs 15 µs.
            if not self._waking:
                raise
            self._waking = False
            if reader is None or reader.uncancel() > 0:
                raise
            return {"type": "http.disconnect"}
        finally:
            self._reader = None
        self.has_left = self.has_left or message["type"] == "http.disconnect"
        return message


class _Asked:
    """A task as an alarm sees it, which is first asked to end, and cancelled when it does not."""

    __slots__ = ("_cancelled", "_grace", "_messages", "_task")

    def __init__(self, task: "asyncio.Task[Any]", messages: _Messages) -> None:
        self._task = task
        self._messages = messages
        self._grace: asyncio.TimerHandle | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Ask now; cancel after the grace."""
        self._messages.dismiss()
        self._grace = self._task.get_loop().call_later(GRACE_S, self._cut)

    def uncancel(self) -> int:
        """Take back what was done to the task; return how often others want it to end."""
        if not self._cancelled:
            return self._task.cancelling()
        self._cancelled = False
        return self._task.uncancel()

    def get_coro(self) -> Any:
        """Return what the task runs. Any: a coroutine of any result."""
        return self._task.get_coro()

    def end(self) -> None:
        """Cancel nothing any more."""
        if self._grace is not None:
            self._grace.cancel()

    def _cut(self) -> None:
        self._cancelled = True
        self._task.cancel()
