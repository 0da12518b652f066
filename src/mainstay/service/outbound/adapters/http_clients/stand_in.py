"""The fallback of an HTTP client: what its last good answers are kept by, and which are kept."""

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX, OF_ONE_REQUEST

_KEPT_METHODS = frozenset({"GET", "HEAD"})
_FAILED = 400
_NO_STORE = re.compile(r"(^|,)\s*no-store\s*(,|$)", re.IGNORECASE)


class Request(Protocol):
    """What requests of all clients have."""

    # Any: each library has its own kinds.
    method: Any
    url: Any
    headers: Any


def question_of(request: Request) -> Hashable:
    """Return what a request asks: its method, its URL and all headers that may matter.

    Whatever identifies the caller is among them, so nobody gets the answer to somebody else.
    """
    headers = ((str(name).lower(), value) for name, value in request.headers.items())
    own = frozenset(header for header in headers if header[0] not in OF_ONE_REQUEST)
    return str(request.method).upper(), str(request.url), own


def told_apart(between: tuple[object, ...]) -> Hashable | None:
    """Return what is between a caller and a peer, as part of a question.

    Returns:
        None: there is something by which nobody can say whether it is the same, so that no answer
        may be kept.
    """
    try:
        parts = tuple(_told_apart(part) for part in between)
        hash(parts)
    except TypeError:
        return None
    return parts


def _told_apart(part: object) -> object:
    if isinstance(part, Mapping):
        return frozenset((name, _told_apart(value)) for name, value in part.items())
    return part


def asks_safely(request: Request) -> bool:
    """Return whether the answer to a request may stand in for a later one: it only reads.

    One with a body is left out, since that is part of the question and may be any length.
    """
    headers: Mapping[str, str] = request.headers
    bodiless = "Content-Length" not in headers and "Transfer-Encoding" not in headers
    return bodiless and str(request.method).upper() in _KEPT_METHODS


def is_kept(status: int, headers: Mapping[str, str], body_bytes: int) -> bool:
    """Return whether an answer may be kept: good, small, and its server does not forbid it."""
    if status >= _FAILED or body_bytes > KEPT_BYTES_MAX:
        return False
    return _NO_STORE.search(headers.get("Cache-Control", "")) is None


def stand_in(
    name: str, said: Any, request: Request, kind: type[Any], made: Callable[..., Any]
) -> Any:
    """Return a response of the caller's own from what a fallback says.

    Args:
        name: Of the policy.
        said: A response, or a function that makes one from the request. Any: it is the user's.
        request: What was asked.
        kind: The client's responses.
        made: Makes another response from one, since callers may change theirs.

    Raises:
        PolicyMisused: It is neither.
    """
    answer = said(request) if callable(said) and not isinstance(said, kind) else said
    if not isinstance(answer, kind):
        wanted = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        raise PolicyMisused(
            f"{name}: the fallback of this client must be a {wanted}, or a function that makes one"
            f" from the request, and not {type(answer).__name__}"
        )
    return made(answer, request)
