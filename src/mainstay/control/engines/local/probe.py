"""One look at a replica: does it listen, does it speak our health format, is it ready?

An HTTP/1.1 GET of our own over asyncio streams: a client library would follow redirects, pool
connections and retry, and each of these would make the answer another one.
"""

import asyncio
import contextlib
import enum
import os
from dataclasses import dataclass

ANSWER_BYTES_MAX = 64 * 1024
"""So much of an answer is read; a health document has some hundred bytes."""

BODY_BYTES_MAX = 4096
"""So much of a body is kept, for the diagnosis."""

HEALTH_TYPE = "application/health+json"
_PATH_CHARS_MAX = 2048
_OK = range(200, 300)


class Outcome(enum.Enum):
    """What one look found."""

    REFUSED = "refused"
    """Nobody listens, or the machine could not even ask."""
    TCP_ONLY = "tcp_only"
    """Somebody listens, and what they answer is no health document."""
    READY = "ready"
    """A health document says: send me requests."""
    UNREADY = "unready"
    """A health document says: not now."""
    HUNG = "hung"
    """Somebody listens and did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one look found, and what a diagnosis shows of it.

    Attributes:
        outcome: The verdict.
        status: HTTP status of the answer; None without one.
        body: The beginning of the body, or why nobody could be asked.
    """

    outcome: Outcome
    status: int | None = None
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The head of an HTTP/1 answer and as much of its body as has arrived."""

    status: int
    content_type: str
    body: bytes
    complete: bool


async def probe(host: str, port: int, path: str, timeout_s: float) -> Probe:
    """Look once; returns within ``timeout_s`` seconds and raises nothing but cancellation.

    Args:
        host: Address of the replica.
        port: Its port.
        path: Path and query of the health endpoint; begins with a slash, visible ASCII only.
        timeout_s: Bound of connecting, asking and reading together.
    """
    raw = bytearray()
    connected = False
    request = request_bytes(host, port, path)
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, limit=ANSWER_BYTES_MAX)
            connected = True
            try:
                writer.write(request)
                await _read_answer(reader, raw)
            finally:
                # Aborted, not closed: nobody waits for the last words of one who hangs.
                writer.transport.abort()
    except TimeoutError:
        # A head that came in time is an answer, even if its body has no end.
        return verdict(bytes(raw)) if read_answer(bytes(raw)) else Probe(outcome=Outcome.HUNG)
    except OSError as error:
        if not connected:
            return Probe(outcome=Outcome.REFUSED, body=_why(error))
    return verdict(bytes(raw))


async def listens(host: str, port: int, timeout_s: float) -> bool:
    """Look whether anybody accepts a connection, and say nothing.

    What speaks no HTTP takes a request for an attack, or for a question that it tries to answer.
    """
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.transport.abort()
    return True


def request_bytes(host: str, port: int, path: str) -> bytes:
    """Return the request.

    Raises:
        ValueError: The path could smuggle something into the request.
    """
    if not path.startswith("/") or len(path) > _PATH_CHARS_MAX:
        raise ValueError(f"not a path: {path[:80]!r}")
    if not all("!" <= char <= "~" for char in path):
        raise ValueError(f"a path has visible ASCII characters only: {path[:80]!r}")
    shown = f"[{host}]" if ":" in host else host
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {shown}:{port}\r\nAccept: {HEALTH_TYPE}\r\n"
        "User-Agent: mainstay-probe\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii")


def verdict(raw: bytes) -> Probe:
    """Decide what bytes that a replica answered mean; any bytes are an answer of some kind."""
    answer = read_answer(raw)
    if answer is None:
        return Probe(outcome=Outcome.TCP_ONLY, body=_text(raw))
    outcome = Outcome.TCP_ONLY
    if answer.content_type == HEALTH_TYPE:
        outcome = Outcome.READY if answer.status in _OK else Outcome.UNREADY
    return Probe(outcome=outcome, status=answer.status, body=_text(answer.body))


def read_answer(raw: bytes) -> Answer | None:
    """Read an HTTP/1 answer as far as it has arrived; None if it is none, or its head is not over.

    Bodies with a length, in chunks, and up to the end of the connection are told apart, since a
    server need not obey ``Connection: close``.
    """
    head, over, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    version, _, after = lines[0].partition(" ")
    status = after[:3]
    if not over or version not in {"HTTP/1.0", "HTTP/1.1"} or not status.isdecimal():
        return None
    if not status.isascii() or len(status) != 3:  # noqa: PLR2004  RFC 9112: three digits.
        return None
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip().lower()
    body, complete = _body(headers, rest)
    content_type = headers.get("content-type", "").partition(";")[0].strip()
    return Answer(status=int(status), content_type=content_type, body=body, complete=complete)


def _body(headers: dict[str, str], rest: bytes) -> tuple[bytes, bool]:
    if headers.get("transfer-encoding", "").endswith("chunked"):
        return _unchunked(rest)
    length = headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and len(length) <= 12:  # noqa: PLR2004  A terabyte.
        return rest[: int(length)], len(rest) >= int(length)
    return rest, False


def _unchunked(rest: bytes) -> tuple[bytes, bool]:
    """Return what has arrived of a chunked body, and whether its last chunk has."""
    body = b""
    # A chunk has at least a size of one digit and a line end: so the loop is bounded.
    while rest:
        line, over, rest = rest.partition(b"\r\n")
        size_text = line.partition(b";")[0].strip()
        try:
            size = int(size_text, 16)
        except ValueError:
            return body, bool(over)
        if not over or size <= 0:
            return body, bool(over)
        body += rest[:size]
        rest = rest[size + 2 :]
    return body, False


async def _read_answer(reader: asyncio.StreamReader, raw: bytearray) -> None:
    """Read into ``raw`` until the answer is whole, its bound is reached or the connection ends."""
    with contextlib.suppress(ConnectionError):
        while len(raw) < ANSWER_BYTES_MAX:
            piece = await reader.read(ANSWER_BYTES_MAX - len(raw))
            raw += piece
            answer = read_answer(bytes(raw))
            if not piece or (answer is not None and answer.complete):
                return


def _why(error: OSError) -> str:
    # Names that cannot be resolved have numbers of their own, below zero.
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)


def _text(body: bytes) -> str:
    return body[:BODY_BYTES_MAX].decode("utf-8", "replace")
