"""An answer as it is kept: which are, what of them, and how it is written."""

import json
from dataclasses import dataclass
from hashlib import blake2b

from mainstay.service.inbound.problems.refusal import RawHeaders

# 429 and 503 say "come back"; 408 and 425, that the server did not begin (RFC 9110, RFC 8470).
_COME_BACK = frozenset({408, 425, 429, 503})
_SERVER_ERROR = 500
_STATUS_MIN, _STATUS_MAX = 200, 599

REPLAYED = (b"idempotency-replayed", b"true")
# RFC 9110, 8.6: these have no Content-Length.
_BODILESS = frozenset({204, 304})

_DROPPED = frozenset({
    # Of the one connection (RFC 9110, 7.6.1).
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade",
    # Made anew for each answer.
    b"content-length", b"date", b"server",
    # Credentials are given once and kept nowhere.
    b"set-cookie",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the app answered.

    Attributes:
        status: 200 to 599.
        headers: Those that a repetition gets again.
        body: All of it; None where it was not kept, being too long, a file, or cut off.
        witness: What stood beside the key that was answered; see ``key.witness_of``.
    """

    status: int
    headers: RawHeaders
    body: bytes | None
    witness: str = ""


def replay_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Return the head of a repeated answer."""
    headers = [*answer.headers, REPLAYED]
    if answer.status not in _BODILESS:
        headers.append((b"content-length", str(len(answer.body or b"")).encode()))
    return headers


def is_kept(status: int, *, server_errors: bool) -> bool:
    """Return whether a repetition gets this answer again, or does the work again."""
    if status in _COME_BACK:
        return False
    return server_errors or status < _SERVER_ERROR


def lasting(headers: RawHeaders) -> RawHeaders:
    """Return the headers that mean the same in a later answer, their names in lower case."""
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple((name, value) for name, value in lowered if name not in _DROPPED)


def encode(answer: Answer) -> bytes:
    """Return an answer as one text of bytes: a line of JSON, and the body."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers]
    kept = answer.body is not None
    parts = [answer.status, headers, kept, answer.witness]
    head = json.dumps(parts, separators=(",", ":")).encode()
    return head + b"\n" + (answer.body or b"")


def decode(data: bytes) -> Answer | None:
    """Return the answer that was encoded, or None where the bytes are none of ours."""
    head, newline, body = data.partition(b"\n")
    if not newline:
        return None
    try:
        status, headers, kept, witness = json.loads(head)
        pairs = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    if type(status) is not int or not _STATUS_MIN <= status <= _STATUS_MAX:
        return None
    if type(witness) is not str:
        return None
    whole = body if kept is True else None
    return Answer(status=status, headers=pairs, body=whole, witness=witness)


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    """Return 16 bytes that are the same for the same request alone.

    Headers don't count: a repetition has another date, and maybe another token.
    """
    made = blake2b(digest_size=16, person=b"mainstay.request")
    for part in (method.encode("latin-1", "replace"), path.encode("utf-8", "surrogateescape")):
        made.update(len(part).to_bytes(4, "big"))
        made.update(part)
    made.update(len(query).to_bytes(4, "big"))
    made.update(query)
    made.update(body)
    return made.digest()
