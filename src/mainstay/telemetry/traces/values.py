"""What user code gives as attributes, as plain and bounded values. Pure."""

from collections.abc import Mapping, Sequence

from mainstay.telemetry.traces.otlp import TEXT_CHARS_MAX
from mainstay.telemetry.traces.span import ATTRIBUTES_MAX, Value

ITEMS_MAX = 128
"""Of one list."""

_EXACT = frozenset((bool, int, float))
_ITEMS = (bool, int, float, str, bytes)
_NANOSECONDS_MAX = (1 << 63) - 1


def plain(value: object) -> Value | None:
    """Return a value that an attribute may have, bounded; None: it may not have it.

    Never raises, whatever a class of the program does.
    """
    if type(value) is str:
        return value if len(value) <= TEXT_CHARS_MAX else value[:TEXT_CHARS_MAX]
    if type(value) in _EXACT:
        return value  # type: ignore[return-value]  # One of those.
    try:
        return _made_plain(value)
    except Exception:  # noqa: BLE001  Methods of the program's own class, which may raise anything.
        return None


def plain_name(name: object) -> str:
    """Return a name as a text; one of a class that can't be shown is a question mark."""
    if type(name) is str:
        return name
    shown = plain(name)
    return "?" if shown is None else str(shown)


def plain_s(nanoseconds: object) -> float | None:
    """Return a time of OpenTelemetry's in seconds since 1970; None: it is none."""
    if not isinstance(nanoseconds, int | float) or not 0 <= nanoseconds <= _NANOSECONDS_MAX:
        return None
    return nanoseconds * 1e-9


def plain_all(attributes: Mapping[str, object] | None) -> dict[str, Value]:
    """Return attributes with plain values; those of others are left out."""
    if not attributes:
        return {}
    found: dict[str, Value] = {}
    for key, value in list(attributes.items())[:ATTRIBUTES_MAX]:
        shown = plain(value)
        if shown is not None:
            found[plain_name(key)] = shown
    return found


def _made_plain(value: object) -> Value | None:
    # Of subclasses the value alone: what else they do, such as how they compare, is not asked for
    # when the span is sent.
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        # Such as a StrEnum.
        return str.__str__(value)[:TEXT_CHARS_MAX]
    if isinstance(value, bytes):
        return bytes(value[:TEXT_CHARS_MAX]).decode("utf-8", "replace")
    if isinstance(value, Sequence):
        items = [plain(one) for one in value[:ITEMS_MAX] if isinstance(one, _ITEMS)]
        return tuple(items) if items or not value else None  # type: ignore[return-value]  # Texts and numbers mixed are taken too.
    return None
