"""One call to another service: in time, over the process's pool, and never a surprise."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from shop.storefront.errors import ServiceAway

KEEPALIVE_S = 30.0
"""Idle connections are closed after this; the edge keeps its side open for longer."""

Params = Mapping[str, str | int | Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another service: where it is, how long it may take, and how much of it there may be.

    Attributes:
        total_s: Of a whole call, the wait for a turn included.
        calls_max: Calls in flight at once, each on a connection of its own.
        waiting_max: Further calls that may wait for their turn.
    """

    name: str
    url: str
    connect_s: float
    total_s: float
    calls_max: int
    waiting_max: int


def http_client(
    peers: Iterable[Peer], transports: Mapping[str, httpx.AsyncBaseTransport] | None = None
) -> httpx.AsyncClient:
    """Return the one client of a process, with a pool of connections for each peer.

    Args:
        peers: The services that it will call.
        transports: For tests: what answers in place of the network, for each base URL.
    """
    pools = {
        peer.url: httpx.AsyncHTTPTransport(
            limits=httpx.Limits(
                max_connections=peer.calls_max,
                max_keepalive_connections=peer.calls_max,
                keepalive_expiry=KEEPALIVE_S,
            )
        )
        for peer in peers
    }
    # trust_env: the services are on this machine, and a proxy of the environment is not for them.
    return httpx.AsyncClient(mounts={**pools, **(transports or {})}, trust_env=False)


class Upstream:
    """Calls to one peer. It never retries: the edge does, on another replica.

    Only so many calls are in flight, and only so many wait for their turn: when the peer gets
    slow, its callers hear so at once, and what they hold stays small.
    """

    def __init__(self, peer: Peer, client: httpx.AsyncClient) -> None:
        self._peer = peer
        self._client = client
        self._timeout = httpx.Timeout(peer.total_s, connect=peer.connect_s)
        self._turn = asyncio.Semaphore(peer.calls_max)
        self._calls = 0

    async def get(self, path: str, params: Params | None = None) -> httpx.Response:
        """Ask for ``path``; see ``_send``."""
        return await self._send("GET", path, params=params)

    async def post(self, path: str, json: Any, headers: Mapping[str, str]) -> httpx.Response:
        """Send ``json`` to ``path``; see ``_send``. Any: what JSON can say."""
        return await self._send("POST", path, json=json, headers=headers)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer that is no failure of the service's own (below 500).

        Raises:
            ServiceAway: Too many calls wait already, no connection, no answer within the total
                time, or an answer of 5xx.
        """
        if self._calls >= self._peer.calls_max + self._peer.waiting_max:
            raise self._away()
        self._calls += 1
        try:
            # httpx bounds each wait; this bounds their sum.
            async with asyncio.timeout(self._peer.total_s), self._turn:
                answer = await self._client.request(
                    method, self._peer.url + path, timeout=self._timeout, **options
                )
        except (httpx.TransportError, TimeoutError) as error:
            raise self._away() from error
        finally:
            self._calls -= 1
        if answer.is_server_error:
            raise self._away()
        return answer

    def _away(self) -> ServiceAway:
        name = self._peer.name
        return ServiceAway(name, f"The {name} service does not answer. Please try again soon.")
