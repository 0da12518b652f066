"""One call to another service: what it answers, or that it is away."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from shop.storefront.errors import ServiceAway

Params = Mapping[str, str | int | Sequence[int]]


class Upstream:
    """Calls to one service, over a client that holds its policy: in time, bounded, and pooled.

    Args:
        name: The service's, for the log and the customer.
        client: Made by ``service.dependency(name)``.
    """

    def __init__(self, name: str, client: httpx.AsyncClient) -> None:
        self._name = name
        self._client = client

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
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._away() from error
        if answer.is_server_error:
            raise self._away(kind_of(answer))
        return answer

    def _away(self, kind: str = "") -> ServiceAway:
        name = self._name
        message = f"The {name} service does not answer. Please try again soon."
        return ServiceAway(name, message, kind=kind)


def kind_of(answer: httpx.Response) -> str:
    """Return the end of a problem's type, such as ``overloaded``; empty where it is none."""
    if answer.headers.get("Content-Type") != "application/problem+json":
        return ""
    try:
        return str(answer.json()["type"]).rpartition("#")[2]
    except (ValueError, KeyError, TypeError):
        # Whoever stands between may write what he likes.
        return ""
