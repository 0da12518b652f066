"""What an app says as an error over WSGI: read, and put in other words."""

from collections.abc import Iterable

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.problems.encoded import decoded
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.service.inbound.problems.problem import VARY
from mainstay.service.inbound.wsgi.body import JoinedBody, close_body
from mainstay.service.inbound.wsgi.text import TextHeaders, pair_of

HELD_BYTES_MAX = 65_536
"""So much of an error's body is read to make a problem document of it."""

_EVENTS = "text/event-stream"
_NOT_KEPT = frozenset({"content-type", "content-length", "content-encoding"})


def may_be_reworded(inbound: Inbound, status: int, headers: TextHeaders) -> bool:
    """Return whether an error of the app may be put in other words."""
    if not inbound.problem_errors and status != FAILED.status:
        return False
    kind = _header(headers, "content-type")
    return kind is None or not kind.startswith(_EVENTS)


def gathered(body: Iterable[bytes], headers: TextHeaders) -> Iterable[bytes]:
    """Read the body of an error, which takes as long as the app does.

    Returns:
        A list of all its parts, and the body is closed; a ``JoinedBody`` where it is a stream, or
        longer than what is held.
    """
    # A second part without a length is a stream's, whose reader waits for each. Nobody can
    # tell from the first alone, since whole bodies of one part often come without, too.
    is_list = type(body) is list or type(body) is tuple
    is_whole = is_list or _header(headers, "content-length") is not None
    parts: list[bytes] = []
    size = 0
    rest = iter(body)
    for part in rest:
        is_second = size > 0 and part
        parts.append(part)
        size += len(part)
        if size > HELD_BYTES_MAX or (is_second and not is_whole):
            return JoinedBody(parts, rest, body)
    close_body(body)
    return parts


def reworded(
    inbound: Inbound, exchange: Exchange, headers: TextHeaders, parts: list[bytes]
) -> tuple[TextHeaders, list[bytes]]:
    """Return an error of the app as a problem document, or as it is where it stays so."""
    encoding = _header(headers, "content-encoding") or ""
    plain = decoded(b"".join(parts), encoding, bytes_max=HELD_BYTES_MAX)
    told = inbound.document_of(exchange, _header(headers, "content-type"), plain)
    if told is None:
        return headers, parts
    kind, document = told
    kept = (pair for pair in headers if pair[0].lower() not in _NOT_KEPT)
    return [*described(kind, document), *kept], [b"" if exchange.method == "HEAD" else document]


def described(kind: str, document: bytes) -> TextHeaders:
    """Return the headers that say what a document of ours is."""
    return [("Content-Type", kind), ("Content-Length", str(len(document))), pair_of(*VARY)]


def _header(headers: TextHeaders, wanted: str) -> str | None:
    return next((value for name, value in headers if name.lower() == wanted), None)
