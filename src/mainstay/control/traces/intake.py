"""From the body of a request to lines in the ring: what a worker thread does for the receiver."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from mainstay.control.traces import otlp_json, otlp_protobuf
from mainstay.control.traces.answer import Answer
from mainstay.control.traces.line import line_of
from mainstay.control.traces.protobuf import Unreadable
from mainstay.control.traces.ring import Ring
from mainstay.control.traces.span import SPANS_MAX

BODY_BYTES_MAX: Final = 4 * 2**20
"""Of one request, as it is sent and as it is unpacked: an SDK's batch of 512 spans of 8 KiB."""

_WINDOW: Final = {"gzip": 31, "deflate": 15}
"""What zlib calls the two."""

ENCODINGS: Final = frozenset({"", "identity", *_WINDOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What came in one request.

    Attributes:
        body: At most BODY_BYTES_MAX.
        encoding: One of ENCODINGS.
        as_json: Whether it is JSON; protobuf otherwise.
    """

    body: bytes
    encoding: str
    as_json: bool


def take(letter: Letter, ring: Ring, wall_s: Callable[[], float]) -> Answer:
    """Keep the spans of a request.

    Raises:
        OSError: The ring can't be written to.
    """
    try:
        body = unpacked(letter.body, letter.encoding)
        if body is None:
            return Answer(
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                said=f"a body unpacks to {BODY_BYTES_MAX} bytes at most",
            )
        received = (otlp_json if letter.as_json else otlp_protobuf).received(body)
    except Unreadable as error:
        return Answer(status=HTTPStatus.BAD_REQUEST, said=str(error))
    ring.append(map(line_of, received.spans), wall_s())
    if not received.rejected:
        return Answer()
    return Answer(
        rejected=received.rejected,
        said=f"a span has ids, and a request {SPANS_MAX} spans at most",
    )


def unpacked(body: bytes, encoding: str) -> bytes | None:
    """Return a body without its compression; None where it is a bomb.

    Raises:
        Unreadable: It is not compressed as it says, is cut short, or something follows.
    """
    if encoding not in _WINDOW:
        return body
    packed = zlib.decompressobj(_WINDOW[encoding])
    try:
        found = packed.decompress(body, BODY_BYTES_MAX + 1)
    except zlib.error as error:
        raise Unreadable(f"the body is no {encoding}") from error
    if len(found) > BODY_BYTES_MAX:
        return None
    if not packed.eof or packed.unused_data:
        raise Unreadable(f"the body is no whole {encoding}")
    return found
