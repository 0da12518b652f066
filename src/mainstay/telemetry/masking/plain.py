"""Any value as what every format has: None, bool, int, float, str, lists and dicts of those."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import Protocol

from mainstay.telemetry.trail import class_of

DEPTH_MAX = 8
ITEMS_MAX = 1000
"""Of all lists and mappings within one value."""

ELIDED = "..."

_HIDDEN_KEY = "password"
"""One whose value is always hidden."""

_SCALARS = (str, int, float, bool, type(None))
_PAIR = 2
_BYTES_MAX = 65_536


class Masking(Protocol):
    """What hides secrets; see ``Masker``."""

    def hides(self, key: str) -> bool:
        """Return whether the value of ``key`` is hidden whatever it is."""
        ...

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        ...

    def value(self, key: str, value: object) -> object:
        """Return what may be shown of the value of a key."""
        ...

    def shown(self, value: object) -> object:
        """Return what may be shown of a value."""
        ...


def plain_of(value: object, masking: Masking) -> object:
    """Return a value made plain, with its secrets hidden.

    Beyond DEPTH_MAX and ITEMS_MAX stands ELIDED, so circles end. Never raises: of what can't be
    shown, the class is.
    """
    try:
        return _Plain(masking).of(value, 0)
    except Exception as error:  # noqa: BLE001  A stranger's __repr__ or __iter__ may raise anything, and a line of a log must not.
        return f"({class_of(value)} can't be shown: {class_of(error)})"


class _Plain:
    """Makes one value plain. For one use, since it counts what it has seen."""

    __slots__ = ("_left", "_masking")

    def __init__(self, masking: Masking) -> None:
        self._masking = masking
        self._left = ITEMS_MAX

    def of(self, value: object, depth: int) -> object:
        """Return ``value`` made plain; ``depth`` is that of what holds it."""
        if isinstance(value, Enum):
            value = value.value
        if type(value) in _SCALARS:
            return self._masking.shown(value)
        if isinstance(value, Mapping):
            return self._mapping(value.items(), depth, hidden=self._hidden(value))
        if is_dataclass(value) and not isinstance(value, type):
            # What its author left out of its repr is nobody's business here either.
            named = (
                (one.name, getattr(value, one.name, None)) for one in fields(value) if one.repr
            )
            return self._mapping(named, depth)
        if names := _names_of(value):
            return self._mapping(zip(names, value, strict=False), depth)  # type: ignore[call-overload]  # It is a Sequence.
        if isinstance(value, list | tuple | deque | AbstractSet):
            return self._sequence(value, depth)
        return self._single(value)

    def _hidden(self, value: Mapping[object, object]) -> str | None:
        """Return which value of a mapping another one says to be a secret, if any does.

        As in ``{"name": "password", "value": "x"}``, and in the errors of pydantic.
        """
        for name, told in _TELLING:
            if told in value and name in value:
                said = value[name]
                parts = said if isinstance(said, list | tuple) else (said,)
                if any(isinstance(one, str) and self._masking.hides(one) for one in parts):
                    return told
        return None

    def _mapping(
        self, items: Iterable[tuple[object, object]], depth: int, *, hidden: str | None = None
    ) -> object:
        if depth >= DEPTH_MAX:
            return ELIDED
        masking = self._masking
        made: dict[str, object] = {}
        for key, value in items:
            if self._left <= 0:
                made[ELIDED] = ELIDED
                break
            self._left -= 1
            name = _name(key)
            # A key may be a secret itself, as in {"alice@example.org": 3}.
            shown = masking.text(name)
            if masking.hides(name):
                made[shown] = masking.value(name, value)
            elif name == hidden:
                made[shown] = masking.value(_HIDDEN_KEY, value)
            else:
                made[shown] = self.of(value, depth + 1)
        return made

    def _sequence(self, values: Iterable[object], depth: int) -> object:
        if depth >= DEPTH_MAX:
            return ELIDED
        values = list(islice(values, self._left + 1))
        if self._is_pair(values):
            # A header, or an item of a mapping.
            name = _name(values[0])
            self._left -= _PAIR
            return [self.of(name, depth + 1), self._masking.value(name, values[1])]
        made: list[object] = []
        for value in values:
            if self._left <= 0:
                made.append(ELIDED)
                break
            self._left -= 1
            made.append(self.of(value, depth + 1))
        return made

    def _is_pair(self, values: list[object]) -> bool:
        return (
            len(values) == _PAIR
            and isinstance(values[0], str | bytes)
            and self._masking.hides(_name(values[0]))
        )

    def _single(self, value: object) -> object:  # noqa: PLR0911  A return for each kind.
        # Of a subclass, what it is a subclass of: its own methods may say anything.
        if isinstance(value, str):
            return self._masking.text(str.__str__(value))
        if isinstance(value, int):
            return self._masking.shown(int.__int__(value))
        if isinstance(value, float):
            return self._masking.shown(float.__float__(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return self._masking.text(_decoded(value))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, BaseException):
            return self._masking.text(f"{type(value).__name__}: {value}")
        text = str(value) if type(value).__module__ in _SPEAKING else repr(value)
        return self._masking.text(text)


_TELLING = (("name", "value"), ("key", "value"), ("Name", "Value"), ("loc", "input"))
"""Names of members of which the first says what the second is."""

_SPEAKING = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"})
"""Modules whose values are better read as ``str`` than as ``repr``."""


def _names_of(value: object) -> tuple[str, ...] | None:
    """Return the names of the fields of a named tuple, or of a row of a database."""
    names = getattr(value, "_fields", None) if isinstance(value, Sequence) else None
    if not isinstance(names, tuple) or not all(isinstance(one, str) for one in names):
        return None
    return names


def _name(key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    return _decoded(key) if isinstance(key, bytes) else str(key)


def _decoded(value: bytes | bytearray | memoryview) -> str:
    return bytes(value[:_BYTES_MAX]).decode("utf-8", "backslashreplace")
