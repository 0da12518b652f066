"""Which lines somebody wants to see. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from mainstay.control.logs.entry import LEVELS, TRACE_KEYS, Entry

EDGE: Final = "edge"
"""Who the proxy's lines are from."""

_IN_TEXT_MIN: Final = 8
"""A shorter beginning of an id is looked for in fields alone: any text might have it."""

REQUESTS_MAX: Final = 10_000
"""Requests of one trace, or of several whose ids begin alike; those that are learned later are not
known by their own ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of a line; what is None is not asked.

    Attributes:
        level: At least this one. A line without a level counts as info; one that is indented
            belongs to the line before it, which is not known here, and is wanted.
        trace: The beginning of its trace id, or its request id.
        pattern: Found in its text, or in what a field of it says.
        since_s: Not before, in seconds since 1970; a line without a time is wanted.
        services: Of the proxy's lines, only those about these; all for none.
        requests: Ids of the trace's requests, as far as they are known. Where a caller sent no
            trace, it began in the service, and the proxy's line of the request has this id alone.
    """

    level: str | None = None
    trace: str | None = None
    pattern: re.Pattern[str] | None = None
    since_s: float | None = None
    services: frozenset[str] = field(default_factory=frozenset)
    requests: frozenset[str] = field(default_factory=frozenset)

    @property
    def anything(self) -> bool:
        """Whether every line is wanted."""
        return self == Wanted()

    def admits(self, entry: Entry) -> bool:
        """Return whether a line is wanted."""
        return (
            self._recent(entry)
            and self._loud(entry)
            and self._of_trace(entry)
            and self._of_services(entry)
            and self._matches(entry)
        )

    def knowing(self, entries: Iterable[Entry]) -> Self:
        """Return the same, with the requests of the trace that these lines tell of."""
        if self.trace is None or len(self.requests) >= REQUESTS_MAX:
            return self
        ids = (one.first(("request_id",)) for one in entries if self._of_trace(one))
        found = frozenset(one for one in ids if isinstance(one, str)) - self.requests
        return replace(self, requests=self.requests | found) if found else self

    def _recent(self, entry: Entry) -> bool:
        return self.since_s is None or entry.at_s is None or entry.at_s >= self.since_s

    def _loud(self, entry: Entry) -> bool:
        if self.level is None or (entry.fields is None and entry.text[:1].isspace()):
            return True
        return LEVELS.index(entry.level or "info") >= LEVELS.index(self.level)

    def _of_trace(self, entry: Entry) -> bool:
        if self.trace is None:
            return True
        if entry.fields is None:
            return len(self.trace) >= _IN_TEXT_MIN and self.trace in entry.text
        if entry.replica == EDGE and str(entry.fields.get("request_id")) in self.requests:
            return True
        said = (entry.fields.get(name) for name in TRACE_KEYS)
        return any(isinstance(one, str) and _names(one, self.trace) for one in said)

    def _of_services(self, entry: Entry) -> bool:
        if not self.services or entry.replica != EDGE or entry.fields is None:
            return True
        return entry.fields.get("service") in self.services

    def _matches(self, entry: Entry) -> bool:
        pattern = self.pattern
        if pattern is None or pattern.search(entry.text):
            return True
        # What JSON had to escape.
        return any(pattern.search(text) for text in _texts(entry.fields))


def _names(said: str, wanted: str) -> bool:
    # A traceparent has the id behind its version.
    return said.startswith(wanted) or said[3:].startswith(wanted)


def _texts(value: Any, depth: int = 0) -> list[str]:
    """Return the texts in a value. Any: what JSON has."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    # Deeper than people nest, and less than the interpreter's bound.
    return [text for one in inner for text in _texts(one, depth + 1)] if depth <= 32 else []  # noqa: PLR2004
