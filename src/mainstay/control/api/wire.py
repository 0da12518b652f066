"""What goes over the control socket: one line of JSON there, some lines back.

A request is ``{"command": "scale", "arguments": {...}}``. The daemon answers at once with
``{"accepted": true}``, or refuses; then with any number of ``{"event": {...}}`` lines while it
works and one last ``{"result": {...}}`` or ``{"error": {...}}``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainstay.core import errors

REQUEST_BYTES_MAX = 2 * 2**20
"""Of one request line: `apply` carries the environment, which systems bound to about this."""

ANSWER_BYTES_MAX = 8 * 2**20
"""Of one line of an answer: the status of thousands of replicas."""

# The JSON values of a request or an answer. Any: JSON's own nesting.
Json = dict[str, Any]

# Which errors keep their type across the socket; others arrive as their nearest parent here.
_ERRORS: tuple[type[errors.MainstayError], ...] = (
    errors.AlreadyRunning,
    errors.NotRunning,
    errors.EngineRefused,
    errors.EdgeRefused,
    errors.EdgeUnavailable,
    errors.PartMissing,
    errors.ConfigInvalid,
    errors.MainstayError,
)


class Malformed(errors.EngineRefused):
    """What came over the control socket is not of its form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command and its arguments."""

    command: str
    arguments: Mapping[str, Any]


def encode(message: Json) -> bytes:
    """Return one line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Json:
    """Return the object of one line.

    Raises:
        Malformed: Not an object in JSON.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Malformed("the control socket got a line that is not JSON") from error
    if not isinstance(message, dict):
        raise Malformed("the control socket got JSON that is not an object")
    return message


def request_of(line: bytes) -> Request:
    """Return the request of one line.

    Raises:
        Malformed: Not a request.
    """
    message = decode(line)
    command, arguments = message.get("command"), message.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise Malformed("a request needs a `command` and an object of `arguments`")
    return Request(command=command, arguments=arguments)


def error_out(error: errors.MainstayError) -> Json:
    """Return the last line for an error."""
    kind = next(kind.__name__ for kind in _ERRORS if isinstance(error, kind))
    answer: Json = {"kind": kind, "message": str(error)}
    if isinstance(error, errors.ConfigInvalid):
        answer["faults"] = [str(fault) for fault in error.faults]
    return {"error": answer}


def error_in(answer: Json) -> errors.MainstayError:
    """Return the error that the daemon meant."""
    message = str(answer.get("message", "the daemon reported an error without words"))
    kind = {kind.__name__: kind for kind in _ERRORS}.get(str(answer.get("kind")))
    if kind is errors.ConfigInvalid:
        return errors.ConfigInvalid(tuple(answer.get("faults") or (message,)))
    if kind is errors.AlreadyRunning or kind is None:
        return errors.EngineRefused(message)
    return kind(message)
