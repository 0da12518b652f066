"""What user code gives as attributes, as plain and bounded values. Pure."""

from collections.abc import Mapping, Sequence

from mainstay.telemetry.traces.otlp import TEXT_CHARS_MAX
from mainstay.telemetry.traces.span import ATTRIBUTES_MAX, Value

ITEMS_MAX = 128
"""Of one list."""

_NUMBERS = (bool, int, float)
_ITEMS = (*_NUMBERS, str, bytes)


def plain(value: object) -> Value | None:
    """Return a value that an attribute may have, bounded; None: it may not have it."""
    if type(value) is str:
        return value if len(value) <= TEXT_CHARS_MAX else value[:TEXT_CHARS_MAX]
    if isinstance(value, _NUMBERS):
        return value
    if isinstance(value, str):
        # A subclass, such as a StrEnum, by its text alone.
        return str.__str__(value)[:TEXT_CHARS_MAX]
    if isinstance(value, bytes):
        return value[:TEXT_CHARS_MAX].decode("utf-8", "replace")
    if isinstance(value, Sequence):
        items = [plain(one) for one in value[:ITEMS_MAX] if isinstance(one, _ITEMS)]
        return tuple(items) if items or not value else None  # type: ignore[return-value]  # Texts and numbers mixed are taken too.
    return None


def plain_all(attributes: Mapping[str, object] | None) -> dict[str, Value]:
    """Return attributes with plain values; those of others are left out."""
    if not attributes:
        return {}
    found: dict[str, Value] = {}
    for key, value in list(attributes.items())[:ATTRIBUTES_MAX]:
        shown = plain(value)
        if shown is not None:
            found[str(key)] = shown
    return found
