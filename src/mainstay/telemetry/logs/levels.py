"""Levels of lines: names, and the numbers that the standard library has for them.

When to use which: Production readiness reference, "Log Levels".
"""

from collections.abc import Mapping
from types import MappingProxyType

DEBUG = 10
"""Detailed diagnostic information."""

INFO = 20
"""Things work as they should."""

WARNING = 30
"""Something unexpected; the system goes on."""

ERROR = 40
"""One operation could not be done."""

CRITICAL = 50
"""The system failed: somebody has to look at once."""

NAMES: Mapping[int, str] = MappingProxyType(
    {
        DEBUG: "debug",
        INFO: "info",
        WARNING: "warning",
        ERROR: "error",
        CRITICAL: "critical",
    }
)

NUMBERS: Mapping[str, int] = MappingProxyType({name: number for number, name in NAMES.items()})


def level_of(number: float) -> int:
    """Return the level that a number of another library falls into: the greatest not above it.

    What is below DEBUG, as loguru's TRACE is, is DEBUG.
    """
    if number < INFO:
        return DEBUG
    return min(int(number) // 10 * 10, CRITICAL)
