"""The logs of this process: one for all, as stdout is.

Loggers are made at import, before a service is known; their lines go where the service says as
soon as it does.
"""

import os
from typing import Final

from mainstay.telemetry.logs.logger import Door, Logger
from mainstay.telemetry.logs.logs import Logs

_SERVICE_VARIABLE = "MAINSTAY_SERVICE"
_REPLICA_VARIABLE = "MAINSTAY_REPLICA"
_UNKNOWN = "unknown"

_doors: Final[dict[str, Door]] = {}
"""The one door of this process, once somebody has asked for it."""


def door() -> Door:
    """Return the door of this process's loggers; until ``use``, with logs that know little."""
    found = _doors.get("")
    if found is None:
        logs = Logs(
            service=os.environ.get(_SERVICE_VARIABLE) or _UNKNOWN,
            replica=os.environ.get(_REPLICA_VARIABLE),
        )
        # Of two threads that made one at the same time, both get the first one's.
        found = _doors.setdefault("", Door(logs))
    return found


def use(logs: Logs) -> None:
    """Let the lines of all loggers of this process go here from now on."""
    door().logs = logs


def get_logger(name: str) -> Logger:
    """Return a logger whose lines go where the process's logs go.

    Args:
        name: As ``__name__``.
    """
    return Logger(name, door())
