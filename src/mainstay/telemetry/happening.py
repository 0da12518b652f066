"""An event of any room as a name and plain fields: for spans, breadcrumbs and lines alike. Pure."""

import re
from dataclasses import fields
from enum import Enum

from mainstay.core.events import Event

Field = str | bool | int | float | list[str]

_ITEMS_MAX = 32
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_NAMES: dict[type[Event], str] = {}
_FIELDS: dict[type[Event], tuple[str, ...]] = {}
"""By kind of event, of which a program has a few dozen."""


def name_of(kind: type[Event]) -> str:
    """Return the name of a kind of event: ``circuit_changed`` for ``CircuitChanged``."""
    name = _NAMES.get(kind)
    if name is None:
        name = _NAMES[kind] = _WORDS.sub("_", kind.__name__).lower()
    return name


def fields_of(event: Event) -> dict[str, Field]:
    """Return the fields of an event but its time; those that are None are left out."""
    kind = type(event)
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(one.name for one in fields(kind) if one.name != "at_s")
    found: dict[str, Field] = {}
    for name in names:
        value = getattr(event, name)
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, str | bool | int | float):
            found[name] = value
        elif isinstance(value, tuple | list | set | frozenset):
            found[name] = [str(one) for one in list(value)[:_ITEMS_MAX]]
        elif value is not None:
            found[name] = str(value)
    return found
