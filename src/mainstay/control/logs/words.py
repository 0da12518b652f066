"""The last words of a process, as people read them. Pure."""

from collections.abc import Iterable

from mainstay.control.logs.entry import EVENT_KEYS, entry_of
from mainstay.control.logs.follower import Line

TRAIL_LINES_MAX = 12
"""Of an exception, the last: the error and where it came from."""


def words_of(tail: Iterable[str]) -> list[str]:
    """Return lines of a log, those in JSON as what happened and the end of its exception.

    Args:
        tail: As they were written.
    """
    return [word for line in tail for word in _words(line)]


def _words(line: str) -> list[str]:
    entry = entry_of(Line(replica="", text=line))
    event = entry.first(EVENT_KEYS)
    if entry.fields is None or event is None:
        return [line]
    first, *more = str(event).rstrip("\n").split("\n")
    trail = [*more, *str(entry.fields.get("exception") or "").rstrip("\n").split("\n")]
    level = "" if entry.level in {None, "info"} else f"{entry.level}: "
    return [f"{level}{first}", *(f"  {one}" for one in trail[-TRAIL_LINES_MAX:] if one)]
