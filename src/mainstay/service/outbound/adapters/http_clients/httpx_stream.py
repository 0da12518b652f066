"""The body of an answer that is read after the call: in time, and with its place held."""

from collections.abc import AsyncIterator, Iterator

import httpx

from mainstay.core.errors import DeadlineExceeded
from mainstay.service.outbound.adapters.errors import also
from mainstay.service.outbound.adapters.http_clients.call import HttpCall


class AsyncHeldStream(httpx.AsyncByteStream):
    """Bytes as they come. The place is given back when they have all come, or it is closed.

    Args:
        stream: The transport's.
        call: Whose answer it is; its deadline holds for every part.
    """

    def __init__(self, stream: httpx.AsyncByteStream, call: HttpCall) -> None:
        self._stream = stream
        self._call = call
        self._place = call.place()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        parts = aiter(self._stream)
        try:
            while True:
                async with self._call.body_region():
                    part = await anext(parts, None)
                if part is None:
                    break
                yield part
        except DeadlineExceeded as error:
            raise also(self._call.too_late(), httpx.ReadTimeout, _request=None) from error
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connection where not all was read, and give the place back."""
        try:
            await self._stream.aclose()
        finally:
            self._place.give_back()


class HeldStream(httpx.SyncByteStream):
    """The same for threads; arguments as those of ``AsyncHeldStream``."""

    def __init__(self, stream: httpx.SyncByteStream, call: HttpCall) -> None:
        self._stream = stream
        self._call = call
        self._place = call.place()

    def __iter__(self) -> Iterator[bytes]:
        parts = iter(self._stream)
        try:
            while True:
                with self._call.body_region():
                    part = next(parts, None)
                if part is None:
                    break
                yield part
        except httpx.TimeoutException as error:
            if self._call.left_s() > 0.0:
                raise
            raise also(self._call.too_late(), httpx.ReadTimeout, _request=None) from error
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection where not all was read, and give the place back."""
        try:
            self._stream.close()
        finally:
            self._place.give_back()
