"""Where the values of a declaration came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainstay.spec.faults import Place
from mainstay.spec.kinds.keys import keys_of
from mainstay.spec.kinds.kinds import Kind, ListOf, MapOf, Section

_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one value came from: a place, or the default where ``place`` is None."""

    place: Place | None = None

    @property
    def is_default(self) -> bool:
        """Whether nothing was declared."""
        return self.place is None

    def __str__(self) -> str:
        return _DEFAULT if self.place is None else str(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something worth knowing that is no fault; ``str(note)`` is one line.

    Attributes:
        service: The service's name; empty where the note is about the whole system.
        path: The dotted key; empty where it is about no key.
        place: Where it stands, or None.
        sentence: For people.
    """

    service: str
    path: str
    place: Place | None
    sentence: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        place = f"{self.place}: " if self.place else ""
        return f"{place}{path}{self.sentence}"

    def as_json(self) -> dict[str, str | int | None]:
        """Return the note for machines."""
        return {
            "service": self.service or None,
            "path": self.path or None,
            "file": self.place.file if self.place else None,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What one service declares, and where.

    Attributes:
        top: The first place of the service's file.
        places: The place of each declared key, by dotted path; what is missing is a default.
        wrong: Paths that have a fault, or were probably meant by a misspelt key.
    """

    top: Place
    places: Mapping[str, Place]
    wrong: frozenset[str]

    def has(self, path: str) -> bool:
        """Return whether the key was declared, and is right."""
        return path in self.places and self.is_sure(path)

    def is_sure(self, path: str) -> bool:
        """Return whether nothing is wrong at a key, above it or below it.

        Where something is, a default stands in for it, and what follows from that means nothing.
        """
        above = path
        while above:
            if above in self.wrong:
                return False
            above = above.rpartition(".")[0]
        below = (f"{path}.", f"{path}[")
        return not any(one.startswith(below) for one in self.wrong)

    def place(self, path: str) -> Place:
        """Return the place of the key, or of the nearest key above it that was declared."""
        while path:
            if path in self.places:
                return self.places[path]
            path = path.rpartition(".")[0]
        return self.top


def all_sources(section: Any, places: Mapping[str, Place]) -> dict[str, Source]:
    """Return the source of every value below a section, by dotted path.

    Args:
        section: An instance of a class made of keys. Any: each section has its own class.
        places: The places of what was declared, from the same reading.
    """
    sources: dict[str, Source] = {}
    for field, key, _ in keys_of(type(section)):
        _collect(getattr(section, field), key.kind, key.name, places, sources)
    return sources


def _collect(
    value: Any, kind: Kind, path: str, places: Mapping[str, Place], sources: dict[str, Source]
) -> None:
    """Add the sources of one value and of all below it. Any: each kind has its own type."""
    if isinstance(kind, Section) and value is not None:
        for field, key, _ in keys_of(kind.cls):
            _collect(getattr(value, field), key.kind, f"{path}.{key.name}", places, sources)
    elif isinstance(kind, MapOf) and value:
        for name, item in value:
            _collect(item, kind.item, f"{path}.{name}", places, sources)
    elif isinstance(kind, ListOf) and isinstance(kind.item, Section) and value:
        if kind.single and len(value) == 1 and f"{path}[0]" not in places:
            _collect(value[0], kind.item, path, places, sources)
            return
        for index, item in enumerate(value):
            _collect(item, kind.item, f"{path}[{index}]", places, sources)
    else:
        sources[path] = Source(place=places.get(path))
