"""The body of a WSGI request: its beginning is here before the request takes a place.

A thread that reads waits for its client, and no deadline can wake it. So that slow clients hold up
nobody but themselves, the first bytes are read before admission is asked, which is the whole of
most bodies. What is longer is read by the app, in its place, until the deadline at most: then its
client is answered, and the place is given back, though the thread waits on for the client to close.
"""

import io
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mainstay.service.inbound.admission.refusals import overloaded
from mainstay.service.inbound.perimeter.body import Readable, too_large
from mainstay.service.inbound.problems.failure import BODY_CUT, BODY_LATE
from mainstay.service.inbound.problems.refusal import Refusal, Refused
from mainstay.service.inbound.slow_clients import FIRST_BYTES

if TYPE_CHECKING:
    from mainstay.service.inbound.inbound import Inbound
    from mainstay.service.inbound.wsgi.flight import ThreadFlight
    from mainstay.service.inbound.wsgi.watch import Watch

ARRIVING_MAX = 240
"""Requests with bodies at once: 15 MB for those, and as much for their threads. One that was
answered since it was too slow counts until its client closes, which the edge sees to."""

_LENGTH_DIGITS_MAX = 19


class Arriving:
    """Waits for bodies; one for a shell, shared by its threads.

    Args:
        inbound: The parts of the service.
        watch: Answers for those whose time is up meanwhile.
        arriving_max: How many requests with bodies there may be at once.
    """

    __slots__ = ("_inbound", "_turns", "_watch")

    def __init__(
        self, inbound: "Inbound", watch: "Watch", *, arriving_max: int = ARRIVING_MAX
    ) -> None:
        self._inbound = inbound
        self._watch = watch
        # One step of C to take a turn and one to give it back.
        self._turns = deque([None] * arriving_max)

    def wait_for(self, flight: "ThreadFlight") -> Refusal | None:
        """Wait for the first bytes, and put what gives the whole body where the app looks for it.

        Returns:
            Why the request goes no further; None where it does.
        """
        environ = flight.scope
        length = _length_of(environ)
        if length == 0 or (length is None and not _has_unknown_length(environ)):
            return None
        if length is None and not environ.get("wsgi.input_terminated"):
            # To read on would be to wait for ever. Who knows how to is the app.
            flight.count_input()
            return None
        try:
            self._turns.pop()
        except IndexError:
            return overloaded(self._inbound.rng)
        flight.turns = self._turns
        return self._take_in(flight, environ["wsgi.input"], length)

    def _take_in(
        self, flight: "ThreadFlight", stream: Readable, length: int | None
    ) -> Refusal | None:
        wanted = FIRST_BYTES if length is None else min(length, FIRST_BYTES)
        flight.is_reading = True
        flight.watch(self._watch)
        first = _read(flight, stream, wanted)
        # How slowly its client sends is no latency of the service.
        flight.ready_s = self._inbound.clock.monotonic_s()
        if not flight.claim() or flight.is_late():
            return BODY_LATE
        is_whole = len(first) < wanted if length is None else len(first) == length
        if length is not None and len(first) < wanted:
            return BODY_CUT
        body_max = self._inbound.perimeter.body_max
        if body_max is not None and len(first) > body_max:
            return too_large(body_max, close=True)
        if is_whole:
            flight.scope["wsgi.input"] = io.BytesIO(first)
            return None
        left = None if length is None else length - len(first)
        rest = _Rest(flight, stream, first, left)
        flight.scope["wsgi.input"] = io.BufferedReader(rest, FIRST_BYTES)
        if length is None:
            flight.count_input()
        return None


class _Rest(io.RawIOBase):
    """A body that the app reads: what came first, and then the rest as it comes.

    Args:
        flight: The request.
        stream: The server's.
        first: What was read.
        left: Bytes that are still to come; None where nobody knows.
    """

    def __init__(
        self, flight: "ThreadFlight", stream: Readable, first: bytes, left: int | None
    ) -> None:
        self._flight = flight
        self._stream = stream
        self._first = first
        self._left = left

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of it. Any: what C may write into has no name in Python 3.11.

        Raises:
            Refused: The time is up, or it is not all there.
        """
        size = len(buffer)
        part, self._first = self._first[:size], self._first[size:]
        if not part and self._left != 0:
            part = self._next(size)
        buffer[: len(part)] = part
        return len(part)

    def _next(self, size: int) -> bytes:
        flight, left = self._flight, self._left
        part = _read(flight, self._stream, size if left is None else min(size, left))
        if flight.is_cut or flight.is_late():
            raise Refused(BODY_LATE)
        if left is not None:
            # A server that finds its client gone says no more than that there is no more.
            if not part:
                raise Refused(BODY_CUT)
            self._left = left - len(part)
        return part


def _read(flight: "ThreadFlight", stream: Readable, wanted: int) -> bytes:
    """Return ``wanted`` bytes; less where the body ends, its client leaves, or the time is up."""
    parts, size = [], 0
    flight.is_reading = True
    try:
        while size < wanted and (part := stream.read(wanted - size)):
            parts.append(part)
            size += len(part)
            if flight.is_cut or flight.is_late():
                break
    except OSError:
        # How other servers say that the client has left.
        pass
    finally:
        flight.is_reading = False
    return b"".join(parts)


def _length_of(environ: Mapping[str, Any]) -> int | None:
    """Return the announced length; None where there is none, or none that is to be believed."""
    said = environ.get("CONTENT_LENGTH") or ""
    if "HTTP_TRANSFER_ENCODING" in environ or len(said) > _LENGTH_DIGITS_MAX:
        return None
    return int(said) if said.isascii() and said.isdigit() else None


def _has_unknown_length(environ: Mapping[str, Any]) -> bool:
    # Without either header a request has a body over HTTP/2 and later only.
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("SERVER_PROTOCOL", "") > "HTTP/1.1"
