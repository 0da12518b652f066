"""One event of each kind that a service emits, with every field that it may have."""

from dataclasses import fields
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

from mainstay.core.events import Event

SOURCE = Path(__file__).parents[2] / "src"
ROOMS = ("service", "state", "telemetry")
_VALUES: dict[type, object] = {str: "x", int: 1, float: 1.0, bool: True}


def kinds_of(root: type[Event] = Event) -> list[type[Event]]:
    """Return every kind of event in the rooms that run in a service's process, by their names."""
    for room in ROOMS:
        for path in sorted((SOURCE / "mainstay" / room).rglob("*.py")):
            if "Event):" in path.read_text("utf-8"):
                import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
    found: dict[str, type[Event]] = {}
    _add(found, root)
    return [found[name] for name in sorted(found)]


def one_of(kind: type[Event], **changed: object) -> Event:
    """Return an event; what may be absent is there."""
    # Any: each kind has fields of its own.
    given: dict[str, Any] = {name: _value(hint) for name, hint in get_type_hints(kind).items()}
    names = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in {**given, **changed}.items() if name in names})


def _add(found: dict[str, type[Event]], kind: type[Event]) -> None:
    for below in kind.__subclasses__():
        before = len(found)
        _add(found, below)
        if len(found) > before:
            # What several have in common, and nobody emits.
            continue
        # Those alone that can be had by their names: a dataclass with slots leaves another behind,
        # and tests make kinds of their own.
        ours = below.__module__.startswith(tuple(f"mainstay.{room}." for room in ROOMS))
        if ours and getattr(import_module(below.__module__), below.__name__, None) is below:
            found[below.__name__] = below


# Any: what annotations are made of.
def _value(hint: Any) -> object:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if hint in _VALUES:
        return _VALUES[hint]
    parts = [one for one in get_args(hint) if one not in {type(None), Ellipsis}]
    # A union, of which the first says what it usually is; else a sequence.
    return _value(parts[0]) if getattr(hint, "__origin__", None) is None else ("x",)
