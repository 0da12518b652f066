"""Which of a few patterns a path is under: for rate limits, and for priorities. Pure."""

import re
from collections.abc import Sequence


class Routes:
    """Patterns of paths; a request is under the first that fits.

    A pattern stands for its path and all below it: ``/login`` for ``/login`` and ``/login/help``,
    not for ``/logins``. A ``*`` is anything but a slash.

    Args:
        patterns: At least one; each begins with a slash and has at most one ``*`` between two.
    """

    __slots__ = ("_match", "patterns")

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        # One pass of one expression. It can't be made slow: a star ends at the next slash, and
        # there is one between two.
        each = "|".join(f"({_expression(one)})" for one in self.patterns)
        self._match = re.compile(rf"(?:{each})(?:/|\Z)").match

    def find(self, path: str) -> int | None:
        """Return the index of the first pattern that fits a path, or None."""
        found = self._match(path)
        if found is None:
            return None
        assert found.lastindex is not None, "each pattern is a group"
        return found.lastindex - 1


def _expression(pattern: str) -> str:
    return "[^/]*".join(re.escape(part) for part in pattern.rstrip("/").split("*"))
