"""What a status code of gRPC says about the dependency. Pure; codes by their names.

As with HTTP: what a server says about the request is an answer, what it says about itself is a
failure. UNKNOWN is what a server makes of an exception in its handler, as HTTP's 500.
"""

import re

FAILURES = frozenset({"UNAVAILABLE", "UNKNOWN", "INTERNAL", "DATA_LOSS"})
"""The server failed. Whether the call took effect is unknown."""

TIMED_OUT = "DEADLINE_EXCEEDED"

REFUSED = "RESOURCE_EXHAUSTED"

PUSHBACK = "grpc-retry-pushback-ms"
"""Trailing metadata by which a server asks to wait, or with a negative number not to retry.

Source: gRPC proposal A6, "Pushback".
"""

_WHOLE = re.compile(r"-?[0-9]{1,9}")

_NEVER_CONNECTED = (
    "failed to connect to all addresses",
    "DNS resolution failed",
    "errors resolving",
)
"""Details that gRPC's core itself gives where it had no connection to send the call on."""

_READY = "READY"
_CANNOT = "TRANSIENT_FAILURE"


def never_connected(
    code: str, details: str | None, *, before: str, after: str, spoken: bool
) -> bool:
    """Return whether a call found no connection, so that it certainly never left.

    A server may relay just these details from a server of its own, and what it was asked to do is
    done. So they count only where the channel had no connection when the call began, and still
    can't get one: from there it does not come back without having been connected and failed anew.

    Args:
        code: Of the status.
        details: Of the status.
        before: The channel's state when the call began, as gRPC names them.
        after: That at its end.
        spoken: Whether there are other signs that a server spoke, such as metadata.
    """
    if code != "UNAVAILABLE" or spoken or before == _READY or after != _CANNOT:
        return False
    return (details or "").startswith(_NEVER_CONNECTED)


def pushback_s(value: str | bytes | None) -> float | None:
    """Return the seconds that a server asks to wait; -1: not to retry; None: it does not say.

    What can't be understood means not to retry, as A6 has it.
    """
    if value is None:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not _WHOLE.fullmatch(text):
        return -1.0
    return max(-1.0, int(text) / 1000)
