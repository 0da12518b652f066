"""What joins the logs with a declaration, and with everything else in the process that logs."""

import sys
from collections.abc import Callable
from typing import Final

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.logs.burst import Burst
from mainstay.telemetry.logs.current import door, use
from mainstay.telemetry.logs.levels import NUMBERS
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.logs.loguru_messages import join_loguru
from mainstay.telemetry.logs.standard import Standard
from mainstay.telemetry.logs.structlog_events import join_structlog
from mainstay.telemetry.logs.unhandled import join_unhandled
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.masking import Masker

_LIBRARIES: tuple[tuple[str, Callable[[Door], Callable[[], None]]], ...] = (
    ("structlog", join_structlog),
    ("loguru", join_loguru),
)


def logs_of(
    declaration: Declaration,
    *,
    replica: str | None = None,
    masker: Masker | None = None,
    writer: Writer | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Logs | None:
    """Return the logs that a declaration asks for, or None where they are off.

    Args:
        declaration: Of the service.
        replica: Which of its processes this is; None where nobody said.
        masker: The one of all signals; None makes one of the declared keys.
        writer: As for ``Logs``.
        clock: As for ``Logs``.
    """
    declared = declaration.telemetry.logs
    if declared is None:
        return None
    return Logs(
        service=declaration.service,
        version=declaration.version,
        replica=replica,
        environment=declaration.telemetry.environment,
        level=NUMBERS[declared.level],
        burst=None if declared.burst_per_s is None else Burst(declared.burst_per_s),
        masker=Masker(declared.mask) if masker is None else masker,
        writer=writer,
        clock=clock,
    )


class Joined:
    """What leads every line of this process to some logs; ``join`` makes it."""

    def __init__(self, logs: Logs) -> None:
        self._before = door().logs
        use(logs)
        self._is_first = not _hooks
        if self._is_first:
            _hooks.append(_Hooks())
        self.again()

    def again(self) -> None:
        """Lead the lines of libraries here that the program has imported meanwhile."""
        for hooks in _hooks:
            hooks.again()

    def leave(self) -> None:
        """Lead lines to where they went before; of several, who joined last leaves first."""
        use(self._before)
        if self._is_first:
            while _hooks:
                _hooks.pop().undo()


class _Hooks:
    """What hears everybody who logs in this process."""

    def __init__(self) -> None:
        self._standard = Standard(door())
        self._undo = [self._standard.leave, join_unhandled(door())]
        self._libraries: set[str] = set()

    def again(self) -> None:
        self._standard.again()
        for name, way in _LIBRARIES:
            if name in sys.modules and name not in self._libraries:
                self._libraries.add(name)
                self._undo.append(way(door()))

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()


_hooks: Final[list[_Hooks]] = []
"""At most one: lines that are heard twice would come twice."""


def join(logs: Logs) -> Joined:
    """Let every line of this process go to these logs; of several that join, the last one has them.

    ``get_logger``, the standard library, warnings and unhandled errors; structlog and loguru where
    the program has imported them before.
    """
    return Joined(logs)
