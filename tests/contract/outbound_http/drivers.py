"""The same few things to do with every client, each in its own words."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import aiohttp
import httpx
import requests
import uvloop

from mainstay import Policy
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.http_clients.aiohttp import aiohttp_session
from mainstay.service.outbound.adapters.http_clients.httpx import http_client, sync_http_client
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.requests import PolicySession

T = TypeVar("T")
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes


class Stream(Protocol):
    """An answer whose body is read bit by bit."""

    status: int

    def part(self) -> bytes | None:
        """Return the next bytes, or None at the end."""
        ...

    def close(self) -> None: ...


class Driver(Protocol):
    """One client over one policy."""

    theirs: type[Exception]
    is_async: bool

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parts: tuple[bytes, ...] | None = None,
    ) -> Answer:
        """Send a request and read the answer; ``parts``: a body that can be sent only once."""
        ...

    def many(self, count: int, path: str) -> list[Answer | Exception]:
        """Send so many GETs at once."""
        ...

    def stream(self, path: str) -> Stream: ...

    def close(self) -> None: ...


class _Threads:
    """What drivers of synchronous clients share."""

    is_async = False

    def get(self, path: str) -> Answer:
        raise NotImplementedError

    def many(self, count: int, path: str) -> list[Answer | Exception]:
        def one(_: int) -> Answer | Exception:
            try:
                return self.get(path)
            except MainstayError as error:
                return error

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))


class HttpxSync(_Threads):
    theirs: type[Exception] = httpx.TransportError

    def __init__(self, policy: Policy, http: Http) -> None:
        self.client = sync_http_client(policy, http)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parts: tuple[bytes, ...] | None = None,
    ) -> Answer:
        content = body if parts is None else iter(parts)
        found = self.client.request(method, path, headers=headers, content=content)
        return Answer(status=found.status_code, body=found.content)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def stream(self, path: str) -> Stream:
        request = self.client.build_request("GET", path)
        return _HttpxSyncStream(self.client.send(request, stream=True))

    def close(self) -> None:
        self.client.close()


class _HttpxSyncStream:
    def __init__(self, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self._answer = answer
        self._parts = answer.iter_raw()

    def part(self) -> bytes | None:
        return next(self._parts, None)

    def close(self) -> None:
        self._answer.close()


class Requests(_Threads):
    theirs: type[Exception] = requests.RequestException

    def __init__(self, policy: Policy, http: Http) -> None:
        self.session = PolicySession(policy, http)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parts: tuple[bytes, ...] | None = None,
    ) -> Answer:
        data = body if parts is None else iter(parts)
        found = self.session.request(method, path, headers=headers, data=data)
        return Answer(status=found.status_code, body=found.content)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def stream(self, path: str) -> Stream:
        return _RequestsStream(self.session.get(path, stream=True))

    def close(self) -> None:
        self.session.close()


class _RequestsStream:
    def __init__(self, answer: requests.Response) -> None:
        self.status = answer.status_code
        self._answer = answer
        self._parts: Iterator[bytes] = answer.iter_content(65_536)

    def part(self) -> bytes | None:
        return next(self._parts, None)

    def close(self) -> None:
        self._answer.close()


class _Loop:
    """What drivers of asynchronous clients share: one loop, which runs when something is done."""

    is_async = True

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
        self._runner = asyncio.Runner(loop_factory=new_loop)

    def run(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(PATIENCE_S):
                return await work

        # In the context of the caller, so that its deadline and trace are known within.
        return self._runner.run(bounded(), context=contextvars.copy_context())

    def end(self) -> None:
        self._runner.close()

    async def get(self, path: str) -> Answer:
        raise NotImplementedError

    def many(self, count: int, path: str) -> list[Answer | Exception]:
        async def all_of_them() -> list[Any]:
            jobs = (self.get(path) for _ in range(count))
            return await asyncio.gather(*jobs, return_exceptions=True)

        return self.run(all_of_them())


class HttpxAsync(_Loop):
    theirs: type[Exception] = httpx.TransportError

    def __init__(
        self,
        policy: Policy,
        http: Http,
        new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        super().__init__(new_loop)
        self.client = http_client(policy, http)

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parts: tuple[bytes, ...] | None = None,
    ) -> Answer:
        content = body if parts is None else _once(parts)
        return self.run(self._request(method, path, headers=headers, content=content))

    async def _request(self, method: str, path: str, **options: Any) -> Answer:
        found = await self.client.request(method, path, **options)
        return Answer(status=found.status_code, body=found.content)

    async def get(self, path: str) -> Answer:
        return await self._request("GET", path)

    def stream(self, path: str) -> Stream:
        request = self.client.build_request("GET", path)
        return _HttpxStream(self, self.run(self.client.send(request, stream=True)))

    def close(self) -> None:
        self.run(self.client.aclose())
        self.end()


class _HttpxStream:
    def __init__(self, driver: _Loop, answer: httpx.Response) -> None:
        self.status = answer.status_code
        self._driver = driver
        self._answer = answer
        self._parts = answer.aiter_raw()

    def part(self) -> bytes | None:
        async def next_part() -> bytes | None:
            return await anext(self._parts, None)

        return self._driver.run(next_part())

    def close(self) -> None:
        self._driver.run(self._answer.aclose())


class Aiohttp(_Loop):
    theirs: type[Exception] = aiohttp.ClientError

    def __init__(
        self,
        policy: Policy,
        http: Http,
        new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        super().__init__(new_loop)

        async def session() -> aiohttp.ClientSession:
            return aiohttp_session(policy, http)

        try:
            self.session = self.run(session())
        except BaseException:
            self.end()
            raise

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        parts: tuple[bytes, ...] | None = None,
    ) -> Answer:
        data = body if parts is None else _once(parts)
        return self.run(self._request(method, path, headers=headers, data=data))

    async def _request(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, path, **options) as found:
            return Answer(status=found.status, body=await found.read())

    async def get(self, path: str) -> Answer:
        return await self._request("GET", path)

    def stream(self, path: str) -> Stream:
        async def begun() -> aiohttp.ClientResponse:
            return await self.session.get(path)

        return _AiohttpStream(self, self.run(begun()))

    def close(self) -> None:
        async def closed() -> None:
            # TLS would say goodbye first, and the loop ends before that is answered.
            assert self.session.connector is not None
            await self.session.connector.close(abort_ssl=True)
            await self.session.close()

        self.run(closed())
        self.end()


class _AiohttpStream:
    def __init__(self, driver: _Loop, answer: aiohttp.ClientResponse) -> None:
        self.status = answer.status
        self._driver = driver
        self._answer = answer

    def part(self) -> bytes | None:
        async def next_part() -> bytes | None:
            return await self._answer.content.readany() or None

        return self._driver.run(next_part())

    def close(self) -> None:
        async def closed() -> None:
            self._answer.close()

        self._driver.run(closed())


async def _once(parts: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


DRIVERS: dict[str, Callable[[Policy, Http], Driver]] = {
    "httpx-sync": HttpxSync,
    "requests": Requests,
    "httpx": HttpxAsync,
    "httpx-uvloop": lambda policy, http: HttpxAsync(policy, http, uvloop.new_event_loop),
    "aiohttp": Aiohttp,
    "aiohttp-uvloop": lambda policy, http: Aiohttp(policy, http, uvloop.new_event_loop),
}
ASYNC = ("httpx", "httpx-uvloop", "aiohttp", "aiohttp-uvloop")
