"""What a sender of spans is told, as bytes of HTTP. Pure.

Source: OTLP specification, "OTLP/HTTP Response": an empty message for success, a count for a part
of it, a ``google.rpc.Status`` with a sentence for failure; in the form in which was asked.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

AGAIN_S: Final = 2
"""What a sender is asked to wait where another time may do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a request.

    Attributes:
        status: Of HTTP.
        said: One sentence; empty for success.
        rejected: Spans that were not taken, of a request that was.
    """

    status: HTTPStatus = HTTPStatus.OK
    said: str = ""
    rejected: int = 0


def response(answer: Answer, *, as_json: bool, close: bool) -> bytes:
    """Return the whole response.

    Args:
        answer: What to say.
        as_json: Whether JSON was sent.
        close: Whether the connection is closed behind it.
    """
    body = _as_json(answer) if as_json else _as_protobuf(answer)
    status = answer.status
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: application/{'json' if as_json else 'x-protobuf'}",
        f"Content-Length: {len(body)}",
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(f"Retry-After: {AGAIN_S}")
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        head.append("Allow: POST")
    if close:
        head.append("Connection: close")
    return "\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body


def _as_json(answer: Answer) -> bytes:
    if answer.status is not HTTPStatus.OK:
        return json.dumps({"message": answer.said}).encode()
    if not answer.rejected:
        return b"{}"
    partial = {"rejectedSpans": str(answer.rejected), "errorMessage": answer.said}
    return json.dumps({"partialSuccess": partial}).encode()


def _as_protobuf(answer: Answer) -> bytes:
    if answer.status is not HTTPStatus.OK:
        return _text(2, answer.said)
    if not answer.rejected:
        return b""
    partial = b"\x08" + _varint(answer.rejected) + _text(2, answer.said)
    return b"\x0a" + _varint(len(partial)) + partial


def _text(field: int, said: str) -> bytes:
    encoded = said.encode()
    return bytes((field << 3 | 2,)) + _varint(len(encoded)) + encoded


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004  Seven bits a byte.
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))
