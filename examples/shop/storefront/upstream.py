"""One call to another service: in time, over the process's pool, and never a surprise."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from shop.storefront.errors import ServiceAway

CONNECTIONS_MAX = 200
KEEPALIVE_S = 30.0
"""Idle connections are closed after this; the edge keeps its side open for longer."""

Params = Mapping[str, str | int | Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another service: where it is and how long it may take, in seconds."""

    name: str
    url: str
    connect_s: float
    total_s: float


def http_client(
    transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
) -> httpx.AsyncClient:
    """Return the one client of a process: a pool of connections that all upstreams share.

    Args:
        transports: For tests: what answers in place of the network, for each base URL.
    """
    return httpx.AsyncClient(
        limits=httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEPALIVE_S,
        ),
        # The services are on this machine: a proxy of the environment is not for them.
        trust_env=False,
        mounts=transports,
    )


class Upstream:
    """Calls to one peer. It never retries: the edge does, on another replica."""

    def __init__(self, peer: Peer, client: httpx.AsyncClient) -> None:
        self._peer = peer
        self._client = client
        self._timeout = httpx.Timeout(peer.total_s, connect=peer.connect_s)

    async def get(self, path: str, params: Params | None = None) -> httpx.Response:
        """Ask for ``path``; see ``_send``."""
        return await self._send("GET", path, params=params)

    async def post(self, path: str, json: Any, headers: Mapping[str, str]) -> httpx.Response:
        """Send ``json`` to ``path``; see ``_send``. Any: what JSON can say."""
        return await self._send("POST", path, json=json, headers=headers)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return an answer that is no failure of the service's own (below 500).

        Raises:
            ServiceAway: No connection, no answer within the total time, or an answer of 5xx.
        """
        try:
            # httpx bounds each wait; this bounds their sum.
            async with asyncio.timeout(self._peer.total_s):
                answer = await self._client.request(
                    method, self._peer.url + path, timeout=self._timeout, **options
                )
        except (httpx.TransportError, TimeoutError) as error:
            raise self._away() from error
        if answer.is_server_error:
            raise self._away()
        return answer

    def _away(self) -> ServiceAway:
        name = self._peer.name
        return ServiceAway(name, f"The {name} service does not answer. Please try again soon.")
