"""Faults of a declaration: what is wrong, where, and what was probably meant."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mainstay.core.errors import ConfigInvalid

FAULTS_MAX = 1000
"""So many faults are kept; of the others only the number is told. More help nobody."""

_SHOWN_MAX = 48
_NEAREST_WORD_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A place in a file; line and column count from 1, the column in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. ``str(fault)`` is one line, whatever the file held.

    Attributes:
        file: The file, as the caller named it.
        line: Counted from 1.
        column: Counted from 1, in characters.
        path: The key, dotted from the top: ``edge.health.intervall``; empty for the whole file.
        sentence: What is wrong, for people.
        found: What stands there, shortened; never (a part of) a secret. None where nothing does.
        expected: What should stand there, as a noun phrase, or None.
        nearest: The known key, word or name that was probably meant, or None.
    """

    file: str
    line: int
    column: int
    path: str
    sentence: str
    found: str | None = None
    expected: str | None = None
    nearest: str | None = None

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{printable(self.file)}:{self.line}:{self.column}: {path}{self.sentence}"

    def as_json(self) -> dict[str, Any]:
        """Return the fault for machines. Any: texts, numbers and nulls."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "found": self.found,
            "expected": self.expected,
            "nearest": self.nearest,
            "sentence": self.sentence,
        }


def fault_at(
    place: Place,
    path: str,
    sentence: str,
    *,
    found: str | None = None,
    expected: str | None = None,
    nearest: str | None = None,
) -> Fault:
    """Return a fault at ``place``."""
    return Fault(
        file=place.file,
        line=place.line,
        column=place.column,
        path=path,
        sentence=sentence,
        found=found,
        expected=expected,
        nearest=nearest,
    )


class Faults:
    """Collects faults, at most FAULTS_MAX, so that a hostile file can't make a long report."""

    __slots__ = ("_kept", "_more")

    def __init__(self) -> None:
        self._kept: list[Fault] = []
        self._more = 0

    def add(self, fault: Fault) -> None:
        """Keep a fault, or count it where there are too many."""
        if self.full:
            self._more += 1
        else:
            self._kept.append(fault)

    @property
    def full(self) -> bool:
        """Whether a further fault is only counted; its finder need not work out the details."""
        return len(self._kept) >= FAULTS_MAX

    @property
    def count(self) -> int:
        """How many were found so far."""
        return len(self._kept) + self._more

    def raise_any(self) -> None:
        """Raise ConfigInvalid with all faults in the order of their place, or return."""
        if not self._kept:
            return
        faults = sorted(self._kept, key=lambda one: (one.file, one.line, one.column, one.path))
        if self._more:
            last = faults[-1]
            place = Place(file=last.file, line=last.line, column=last.column)
            faults.append(fault_at(place, "", f"and {self._more} more faults"))
        raise ConfigInvalid(tuple(faults))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be, or None.

    Case, and dashes for underscores, count little. A word may be off by a third of its letters, by
    three at most: farther away, a guess would mislead.
    """
    if len(word) > _NEAREST_WORD_MAX:
        return None
    plain = _plain(word)
    best: tuple[int, str] | None = None
    for candidate in known:
        off_max = min(3, max(1, min(len(word), len(candidate)) // 3))
        if abs(len(candidate) - len(word)) > off_max:
            continue
        off = _distance(plain, _plain(candidate))
        if off <= off_max and (best is None or off < best[0]):
            best = (off, candidate)
    return best[1] if best else None


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_")


def _distance(one: str, other: str) -> int:
    """Return the edits between two words: insert, delete, replace, or swap two neighbours.

    Source: the optimal string alignment distance (Damerau 1964; Levenshtein 1966).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        last, before = before, row
        row = [i]
        for j, other_letter in enumerate(other, start=1):
            edits = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != other_letter))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == other_letter:
                edits = min(edits, last[j - 2] + 1)
            row.append(edits)
    return row[-1]


def printable(text: str, *, maximum: int = 4096) -> str:
    """Return ``text`` without characters that could move a cursor or break the line, shortened."""
    shown = text if len(text) <= maximum else text[: maximum - 1] + "…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in shown
    )


def shown(text: str) -> str:
    """Return ``text`` as a fault shows a value: in quotes, shortened, on one line."""
    return json.dumps(printable(text, maximum=_SHOWN_MAX), ensure_ascii=False).replace("\\\\", "\\")
