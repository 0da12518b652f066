"""What joins the logs with a declaration, and with everything else in the process that logs."""

import sys
from collections.abc import Callable

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.logs.burst import Burst
from mainstay.telemetry.logs.current import door, use
from mainstay.telemetry.logs.levels import NUMBERS
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.logs.loguru_messages import join_loguru
from mainstay.telemetry.logs.standard import join_standard
from mainstay.telemetry.logs.structlog_events import join_structlog
from mainstay.telemetry.logs.unhandled import join_unhandled
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.masking import Masker


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


def join(logs: Logs) -> Callable[[], None]:
    """Let every line of this process go to these logs.

    ``get_logger``, the standard library, warnings and unhandled errors; structlog and loguru where
    the program has imported them before.

    Returns:
        What undoes it; lines of ``get_logger`` go on to these logs.
    """
    use(logs)
    ways = [join_standard, join_unhandled]
    if "structlog" in sys.modules:
        ways.append(join_structlog)
    if "loguru" in sys.modules:
        ways.append(join_loguru)
    undo = [way(door()) for way in ways]

    def leave() -> None:
        for one in reversed(undo):
            one()

    return leave
