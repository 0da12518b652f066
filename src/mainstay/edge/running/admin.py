"""Envoy's admin interface over its Unix socket: one short HTTP exchange a connection."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from mainstay.core.errors import EdgeUnavailable

RESPONSE_BYTES_MAX = 64 * 2**20
"""Of one response; /clusters of 120 services with three replicas is 0.5 MB."""

TIMEOUT_S = 5.0
_HEAD_END = b"\r\n\r\n"
_READ_BYTES = 256 * 1024


class AdminAnswerBroken(EdgeUnavailable):
    """What came over the admin socket is not an HTTP response, or too long a one."""


class AdminSocketGone(EdgeUnavailable):
    """There is no admin socket where it should be; whether Envoy runs is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response of the admin interface."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Admin:
    """A client of the admin socket.

    Attributes:
        socket: Path of the socket.
        timeout_s: Of one exchange.
    """

    socket: Path
    timeout_s: float = TIMEOUT_S

    async def get(self, target: str) -> Answer:
        """Return the answer to a GET; any status.

        Raises:
            EdgeUnavailable: There was no answer within the bound; AdminSocketGone where there is
                no socket.
        """
        return await self._exchange("GET", target)

    async def post(self, target: str) -> Answer:
        """Return the answer to a POST, which is what changes something; raises as ``get``."""
        return await self._exchange("POST", target)

    async def _exchange(self, method: str, target: str) -> Answer:
        try:
            async with asyncio.timeout(self.timeout_s):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                try:
                    writer.write(_request(method, target))
                    return decode(await _read_bounded(reader))
                finally:
                    writer.close()
        except TimeoutError as error:
            raise EdgeUnavailable(f"Envoy did not answer within {self.timeout_s:g} s") from error
        except FileNotFoundError as error:
            raise AdminSocketGone(f"Envoy's admin socket is gone: {self.socket}") from error
        except OSError as error:
            raise EdgeUnavailable(f"Envoy's admin socket does not answer: {error}") from error


def _request(method: str, target: str) -> bytes:
    assert target.isascii(), target
    assert target.isprintable(), target
    lines = (f"{method} {target} HTTP/1.1", "host: edge", "connection: close", "content-length: 0")
    return "\r\n".join((*lines, "", "")).encode()


async def _read_bounded(reader: asyncio.StreamReader) -> bytes:
    raw = bytearray()
    while chunk := await reader.read(_READ_BYTES):
        raw += chunk
        if len(raw) > RESPONSE_BYTES_MAX:
            raise AdminAnswerBroken(f"Envoy's answer is longer than {RESPONSE_BYTES_MAX} bytes")
    return bytes(raw)


def decode(raw: bytes) -> Answer:
    """Return the response that ``raw`` is: all bytes until the connection was closed.

    Raises:
        AdminAnswerBroken: It is none, or cut short.
    """
    head, separator, body = raw.partition(_HEAD_END)
    lines = head.split(b"\r\n")
    words = lines[0].split(b" ", 2)
    if not separator or not words[0].startswith(b"HTTP/1.") or len(words) < 2:  # noqa: PLR2004
        raise AdminAnswerBroken("Envoy's answer is no HTTP response")
    if len(words[1]) != 3 or not words[1].isdigit():  # noqa: PLR2004  Three digits, as in HTTP.
        raise AdminAnswerBroken("Envoy's answer has no status")
    headers = {
        name.strip().lower(): value.strip().lower()
        for name, _, value in (line.partition(b":") for line in lines[1:])
    }
    if headers.get(b"transfer-encoding") == b"chunked":
        body = _dechunk(body)
    elif (length := headers.get(b"content-length")) is not None and length != b"%d" % len(body):
        raise AdminAnswerBroken("Envoy's answer is cut short")
    return Answer(status=int(words[1]), body=body)


def _dechunk(body: bytes) -> bytes:
    joined = bytearray()
    at = 0
    # Each turn takes at least the bytes of one chunk's head, so it ends with the body.
    while True:
        end = body.find(b"\r\n", at)
        digits = body[at:end].partition(b";")[0].strip() if end >= 0 else b""
        try:
            size = int(digits, 16)
        except ValueError as error:
            raise AdminAnswerBroken("Envoy's answer is cut short") from error
        if size == 0:
            return bytes(joined)
        start = end + 2
        if size < 0 or start + size > len(body):
            raise AdminAnswerBroken("Envoy's answer is cut short")
        joined += body[start : start + size]
        at = start + size + 2
