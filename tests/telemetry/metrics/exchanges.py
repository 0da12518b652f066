"""Exchanges as shells make them, for tests that end them."""

from typing import Any

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal


def exchange(
    scope: dict[str, Any] | None = None,
    *,
    method: str = "GET",
    path: str = "/",
    status: int = 200,
    kind: str = "http",
    error: str | None = None,
    refusal: Refusal | None = None,
    started_s: float = 0.0,
) -> Exchange:
    """Return an exchange that has ended."""
    made = Exchange()
    made.scope = {"scheme": "http"} if scope is None else scope
    made.kind = kind
    made.method = method
    made.path = path
    made.status = status
    made.error = error
    made.refusal = refusal
    made.started_s = started_s
    return made
