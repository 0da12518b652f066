"""The call of an asynchronous stream that ends when nobody holds it any more.

With any interceptor, gRPC's own calls don't: the running call keeps what its channel wants to hear
of its end, and with it the object that the caller was given, which so never ends the running call.
Here the calls that interceptors return keep that themselves, so that all of it goes together.
"""

from collections.abc import Callable, Generator
from typing import Any

from grpc import aio  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.

Heard = Callable[[Any], None]
"""Is called with the call when it has ended."""


class _Held:
    """What all three kinds of streams are asked.

    Args:
        call: The running one. Who waits for its end holds it, and this only by a weak reference.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._hearers: list[Heard] = []

    def __del__(self) -> None:
        self._call.cancel()

    def __getattr__(self, name: str) -> Any:
        """Return what is not asked of every call, such as ``debug_error_string``."""
        return getattr(self._call, name)

    def add_done_callback(self, callback: Heard) -> None:
        """Have ``callback`` called at the end."""
        if self._call.done():
            callback(self)
        else:
            self._hearers.append(callback)

    def tell_end(self) -> None:
        """Call all who want to hear of the end. Called once, by who waits for it."""
        hearers, self._hearers = self._hearers, []
        for hearer in hearers:
            hearer(self)

    def cancel(self) -> bool:
        """End it."""
        return bool(self._call.cancel())

    def cancelled(self) -> bool:
        """Return whether it was ended so."""
        return bool(self._call.cancelled())

    def done(self) -> bool:
        """Return whether it is over."""
        return bool(self._call.done())

    def time_remaining(self) -> float | None:
        """Return the seconds until its deadline, or None."""
        left_s: float | None = self._call.time_remaining()
        return left_s

    async def wait_for_connection(self) -> None:
        """Wait until the server has it."""
        await self._call.wait_for_connection()

    async def initial_metadata(self) -> Any:
        """Return what the server said first."""
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        """Return what it said at the end."""
        return await self._call.trailing_metadata()

    async def code(self) -> Any:
        """Return the status."""
        return await self._call.code()

    async def details(self) -> Any:
        """Return what is said about the status."""
        return await self._call.details()


class _Comes(_Held):
    def __aiter__(self) -> Any:
        """Return an iterator over what comes."""
        return aiter(self._call)

    async def read(self) -> Any:
        """Return the next that comes, or ``EOF``."""
        return await self._call.read()


class _Goes(_Held):
    async def write(self, request: Any) -> None:
        """Send one more."""
        await self._call.write(request)

    async def done_writing(self) -> None:
        """Say that no more follows."""
        await self._call.done_writing()


class HeldUnaryStream(_Comes, aio.UnaryStreamCall):  # type: ignore[misc]  # As above.
    """A stream that comes."""


class HeldStreamUnary(_Goes, aio.StreamUnaryCall):  # type: ignore[misc]  # As above.
    """A stream that goes."""

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the answer."""
        answer: Any = yield from self._call.__await__()
        return answer


class HeldStreamStream(_Comes, _Goes, aio.StreamStreamCall):  # type: ignore[misc]  # As above.
    """A stream in both directions."""
