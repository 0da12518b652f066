"""An error as the event of a span, by OpenTelemetry's conventions for exceptions. Bounded."""

import traceback

from mainstay.telemetry.traces.otlp import TEXT_CHARS_MAX
from mainstay.telemetry.traces.span import Value

EXCEPTION = "exception"

_FRAMES_MAX = 30
"""The innermost ones, of each error of the chain."""


def raised_attributes(error: BaseException) -> dict[str, Value]:
    """Return type, message and stack of an error; of a long stack the end, which says most."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    told = traceback.TracebackException(
        kind, error, error.__traceback__, limit=-_FRAMES_MAX, compact=True
    )
    return {
        "exception.type": f"{module}{kind.__qualname__}",
        "exception.message": str(told)[:TEXT_CHARS_MAX],
        "exception.stacktrace": "".join(told.format())[-TEXT_CHARS_MAX:],
    }
