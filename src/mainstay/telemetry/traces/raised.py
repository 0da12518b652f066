"""An error as the event of a span, by OpenTelemetry's conventions for exceptions. Bounded."""

from mainstay.telemetry.traces.otlp import TEXT_CHARS_MAX
from mainstay.telemetry.traces.span import Value
from mainstay.telemetry.trail import class_of, trail_of

EXCEPTION = "exception"

_FRAMES_MAX = 30
_TRAIL_CHARS = TEXT_CHARS_MAX - 16
"""With the mark of what is left out, within the bound."""


def raised_attributes(error: BaseException) -> dict[str, Value]:
    """Return type, message and stack of an error."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {
        "exception.type": f"{module}{kind.__qualname__}",
        "exception.message": message_of(error),
        "exception.stacktrace": trail_of(error, chars_max=_TRAIL_CHARS, frames_max=_FRAMES_MAX),
    }


def message_of(error: BaseException) -> str:
    """Return the text of an error, bounded; never raises."""
    try:
        return str(error)[:TEXT_CHARS_MAX]
    except Exception as broken:  # noqa: BLE001  An error's own __str__ may raise anything.
        return f"can't be shown: {class_of(broken)}"
