"""Frozen values to JSON and back, strictly: what was not written by us is refused in one sentence.

Fields may be texts, whole numbers, numbers, booleans, another such value, a tuple of one kind, a
pair (tuple of two kinds), or one of those or None. A field that is missing takes its default.
"""

import dataclasses
import json
import os
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ITEMS_MAX = 100_000
"""No list of ours comes near; a longer one is not ours."""


_EXACT_MAX = 2**53
"""Whole numbers below it are the same as a float."""


class WireInvalid(ValueError):
    """A document is not the value that was expected; the sentence says where and why."""


def read_object(path: Path, *, bytes_max: int) -> dict[str, object]:
    """Return the JSON object in ``path``: no link is followed, and no pipe waited for.

    Raises:
        OSError: It is not there, or cannot be read.
        WireInvalid: It is longer than ``bytes_max``, or holds something else.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        data = b""
        while len(data) <= bytes_max and (piece := os.read(fd, bytes_max + 1 - len(data))):
            data += piece
    finally:
        os.close(fd)
    if len(data) > bytes_max:
        raise WireInvalid(f"it is longer than {bytes_max} bytes")
    return parse_object(data)


def parse_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in ``data``, whose fields nobody has looked at yet.

    Raises:
        WireInvalid: It holds something else.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise WireInvalid("it is not JSON") from error
    if not isinstance(document, dict):
        raise WireInvalid("it is not an object")
    return document


def to_wire(value: object) -> Any:  # A JSON document, which only `from_wire` gives a type again.
    """Return ``value`` as what ``json.dumps`` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_wire(getattr(value, field.name)) for field in fields}
    if isinstance(value, tuple):
        return [to_wire(item) for item in value]
    assert value is None or isinstance(value, str | int | float)
    return value


def from_wire(kind: type[T], document: object, *, at: str = "") -> T:
    """Return ``document`` as a ``kind``, a frozen dataclass.

    Raises:
        WireInvalid: Something is missing, unknown or of another kind, or the value refuses it.
    """
    if not isinstance(document, dict):
        raise WireInvalid(f"{at or 'the document'} is not an object")
    hints = typing.get_type_hints(kind)
    unknown = sorted(str(name) for name in document if name not in hints)
    if unknown:
        raise WireInvalid(f"{at or 'the document'} has an unknown field {unknown[0][:60]!r}")
    given = {
        name: _read(hints[name], one, f"{at}.{name}".lstrip(".")) for name, one in document.items()
    }
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise WireInvalid(f"{at or 'the document'}: {error}") from error


def _read(kind: Any, document: object, at: str) -> Any:  # Kinds are type expressions.
    if isinstance(kind, types.UnionType):
        if document is None and type(None) in kind.__args__:
            return None
        (kind,) = (one for one in kind.__args__ if one is not type(None))
    if typing.get_origin(kind) is tuple:
        return _read_tuple(typing.get_args(kind), document, at)
    if dataclasses.is_dataclass(kind):
        return from_wire(typing.cast("type[object]", kind), document, at=at)
    # JSON does not tell 1 from 1.0; True is an int to Python and to nobody else.
    if kind is float and type(document) is int and abs(document) < _EXACT_MAX:
        return float(document)
    if type(document) is not kind:
        raise WireInvalid(f"{at} is not a {kind.__name__}")
    return document


def _read_tuple(kinds: tuple[Any, ...], document: object, at: str) -> tuple[Any, ...]:
    if not isinstance(document, list) or len(document) > ITEMS_MAX:
        raise WireInvalid(f"{at} is not a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(document)
    if len(kinds) != len(document):
        raise WireInvalid(f"{at} has {len(document)} items instead of {len(kinds)}")
    return tuple(
        _read(kind, one, f"{at}[{number}]")
        for number, (kind, one) in enumerate(zip(kinds, document, strict=True))
    )
