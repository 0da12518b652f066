"""The local view's receiving end, put together: door, ring and receiver of one system."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from mainstay.control.traces import door as doors
from mainstay.control.traces.door import Door
from mainstay.control.traces.receiver import Receiver, SpansTrouble
from mainstay.control.traces.ring import Ring
from mainstay.core.clock import Clock
from mainstay.core.errors import EngineRefused
from mainstay.core.events import Event

DOOR: Final = "door.json"


class LocalTraces:
    """Receives the spans of a system, or says why it can't: no system waits for that.

    Args:
        folder: Private, and there once ``start`` is called.
        free_port: Returns a port that nobody has; raises EngineRefused.
        clock: Stamps.
        emit: Told of trouble.

    Attributes:
        door: Where spans are received; None before ``start``, and where nobody can listen.
    """

    def __init__(
        self,
        folder: Path,
        *,
        free_port: Callable[[], int],
        clock: Clock,
        emit: Callable[[Event], None],
    ) -> None:
        self._folder = folder
        self._free_port = free_port
        self._clock = clock
        self._emit = emit
        self.door: Door | None = None
        self._receiver: Receiver | None = None

    async def start(self) -> None:
        """Listen where replicas that still run send to, else at a new door, else tell why not."""
        path = self._folder / DOOR
        door = doors.load(path)
        if door is not None and await self._listens(door):
            return
        try:
            door = doors.new_door(self._free_port())
            doors.save(path, door)
        except (OSError, EngineRefused) as error:
            self._tell(error)
        else:
            await self._listens(door)

    async def stop(self) -> None:
        """Stop receiving."""
        if self._receiver is not None:
            await self._receiver.stop()

    async def _listens(self, door: Door) -> bool:
        receiver = Receiver(door=door, ring=Ring(self._folder), clock=self._clock, emit=self._emit)
        try:
            await receiver.start()
        except OSError as error:
            self._tell(error)
            await receiver.stop()
            return False
        self._receiver, self.door = receiver, door
        return True

    def _tell(self, error: Exception) -> None:
        reason = f"spans can't be received: {error}"
        self._emit(SpansTrouble(at_s=self._clock.wall_s(), reason=reason))
