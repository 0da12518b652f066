"""What of a service is not for clients from outside: its health in detail, and its metrics.

A load balancer before the edge needs ``live`` and ``ready``. The rest (free disk and memory, which
dependencies there are, how the start goes, what is counted) is for people and services inside.
"""

import re

from mainstay.edge.envoy.protojson import JsonObject
from mainstay.spec.declaration import Declaration

LISTENER_HEADER = "x-mainstay-listener"
"""Through which kind of listener a request came; set by the listener."""

PUBLIC = "public"
NOT_FOUND = 404


def hidden_route(declaration: Declaration) -> JsonObject | None:
    """Return the route that hides what is private of a service, or None where it has nothing.

    A ``command:`` is not wrapped: what it has at these paths is its own. A wrapped app has its
    endpoints of health; mounted at ``/``, they stand beside the app's own paths, so only
    ``/startup`` and what is below ``/group/`` are hidden. Of metrics it has one.
    """
    root = declaration.inbound.health.path.rstrip("/")
    if declaration.command is not None:
        return None
    slash = _spelled("/")
    opened = rf"{re.escape(root)}/(?:live|ready)(?:\?.*)?"
    at_root = f"{slash}startup|{slash}group{slash}.*"
    hidden = f"{_spelled(root)}(?:{slash}.*)?" if root else at_root
    metrics = declaration.telemetry.metrics
    if metrics is not None:
        hidden = f"{hidden}|{_spelled(metrics.path)}"
    return {
        "name": "hidden",
        "match": {
            "safe_regex": {"regex": hidden},
            "headers": [
                {"name": LISTENER_HEADER, "string_match": {"exact": PUBLIC}},
                {
                    "name": ":path",
                    "string_match": {"safe_regex": {"regex": opened}},
                    "invert_match": True,
                },
            ],
        },
        "direct_response": {"status": NOT_FOUND},
    }


def _spelled(path: str) -> str:
    """Return an expression for every way of writing ``path`` that an app takes for the same.

    Envoy itself decodes what needs no code (letters, digits, ``-._~``) before it routes.
    """
    return "".join(_character(one) for one in path)


def _character(one: str) -> str:
    if one.isalnum() or one in "-._~":
        return re.escape(one)
    high, low = (f"[{digit}{digit.lower()}]" for digit in f"{ord(one):02X}")
    return f"(?:{re.escape(one)}|%{high}{low})"
