"""Bodies of answers over WSGI: what is sent while it is made, and what was read already."""

from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from itertools import chain
from typing import Protocol


class Underway(Protocol):
    """A request whose answer is on its way out.

    Attributes:
        size: Bytes of the body so far.
        given_s: Monotonic: when its last part was given away; 0 while the next is made.
    """

    size: int
    given_s: float

    def end(self, error: str | None) -> None:
        """Note that the answer has ended; once."""
        ...

    def broke(self, error: BaseException) -> None:
        """Note that the answer broke off."""
        ...


class StreamedBody:
    """A streamed body: in flight until it is exhausted, fails, or is closed.

    Each step runs in the context of the app's call: its trace, its deadline, and whatever context
    variables the app has set.

    Args:
        body: The app's.
        flight: The request.
        now: Returns the monotonic time.
    """

    __slots__ = ("_body", "_flight", "_next", "_now", "_run")

    def __init__(self, body: Iterable[bytes], flight: Underway, now: Callable[[], float]) -> None:
        self._body = body
        self._now = now
        self._flight = flight
        self._next = iter(body).__next__
        self._run = copy_context().run

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        flight = self._flight
        flight.given_s = 0.0
        try:
            part = self._run(self._next)
            if type(part) is not bytes:
                expect_bytes(part)
        except StopIteration:
            flight.end(None)
            raise
        except BaseException as error:
            # The server tears the answer off and tells of the error.
            flight.broke(error)
            raise
        flight.size += len(part)
        now = self._now
        flight.given_s = now()
        return part

    def close(self) -> None:
        """Close the app's own body, as the server must in the end, whatever happened."""
        try:
            self._run(close_body, self._body)
        finally:
            self._flight.end(None)


class JoinedBody:
    """A body of which a part was read already."""

    def __init__(self, parts: list[bytes], rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._parts = chain(parts, rest)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        """Close the app's own body."""
        close_body(self._body)


def close_body(body: Iterable[bytes]) -> None:
    """Close a body where it wants to be."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


def size_of(parts: list[bytes] | tuple[bytes, ...]) -> int:
    """Return how long a body is of which all parts are there.

    Raises:
        TypeError: A part is a text.
    """
    size = 0
    for part in parts:
        if type(part) is not bytes:
            expect_bytes(part)
        size += len(part)
    return size


def expect_parts(body: object) -> None:
    """Refuse what is no body.

    Raises:
        TypeError: It is none, or a single piece, whose parts would be numbers or letters.
    """
    if body is None or type(body) is bytes or type(body) is str:
        raise TypeError(f"an app over WSGI answers with parts, and not with {type(body).__name__}")


def expect_bytes(part: object) -> None:
    """Refuse a part that is a text; what has bytes is the server's to judge.

    Raises:
        TypeError: It is one.
    """
    if isinstance(part, str):
        raise TypeError("an app over WSGI answers with bytes, and not with str")
