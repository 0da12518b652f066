"""httpx's clients with a policy inside."""

from collections.abc import Mapping
from typing import Any

import httpx

from mainstay.service.outbound.adapters.http_clients.httpx_transport import (
    AsyncPolicyTransport,
    PolicyTransport,
)
from mainstay.service.outbound.adapters.http_clients.httpx_words import WHOLE
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.policy import Policy


class HttpClient(httpx.AsyncClient):
    """An ``httpx.AsyncClient`` that tells its transport whether an answer is streamed."""

    # Any: the options are httpx's, and handed on.
    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request, as httpx does."""
        request.extensions[WHOLE] = not stream
        return await super().send(request, stream=stream, **options)


class SyncHttpClient(httpx.Client):
    """An ``httpx.Client`` that does the same."""

    # Any: the options are httpx's, and handed on.
    def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request, as httpx does."""
        request.extensions[WHOLE] = not stream
        return super().send(request, stream=stream, **options)


def http_client(
    policy: Policy,
    http: Http | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    **options: Any,
) -> HttpClient:
    """Return an ``httpx.AsyncClient`` whose transport holds a policy. Close it, as any client.

    Args:
        policy: Any, with a bulkhead.
        http: Options.
        transport: As ``AsyncPolicyTransport`` takes it.
        options: Further ones of ``httpx.AsyncClient``. Any: they are httpx's.
    """
    http = http or Http()
    return HttpClient(
        transport=AsyncPolicyTransport(policy, http, transport), **_defaults(http, options)
    )


def sync_http_client(
    policy: Policy,
    http: Http | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
    **options: Any,
) -> SyncHttpClient:
    """Return an ``httpx.Client`` whose transport holds a policy; as ``http_client``."""
    http = http or Http()
    return SyncHttpClient(
        transport=PolicyTransport(policy, http, transport), **_defaults(http, options)
    )


def _defaults(http: Http, options: Mapping[str, Any]) -> dict[str, Any]:
    timeout = httpx.Timeout(
        connect=float(http.connect), read=float(http.read), write=float(http.write), pool=None
    )
    return {"base_url": http.base_url, "timeout": timeout, **options}
