"""HTTP clients of a policy: httpx in both kinds, requests and aiohttp."""

from typing import TYPE_CHECKING, Any

from mainstay.service.outbound.adapters.part import part
from mainstay.service.outbound.clients.maker import Maker

if TYPE_CHECKING:
    import aiohttp
    import httpx

    from mainstay.service.outbound.adapters.http_clients.aiohttp import PolicyMiddleware
    from mainstay.service.outbound.adapters.http_clients.httpx import HttpClient, SyncHttpClient
    from mainstay.service.outbound.adapters.http_clients.httpx_transport import (
        AsyncPolicyTransport,
        PolicyTransport,
    )
    from mainstay.service.outbound.adapters.http_clients.options import Http
    from mainstay.service.outbound.adapters.http_clients.requests import (
        PolicyAdapter,
        PolicySession,
    )


class HttpClients(Maker):
    """The part of ``Policy`` that makes HTTP clients.

    All take ``http``, what a client needs to know beside the policy; None: what is declared.
    All raise PartMissing where the library is not installed, and PolicyMisused where the policy
    has no bulkhead. Who gets a client or a session closes it.
    """

    __slots__ = ()

    def http_client(
        self,
        http: "Http | None" = None,
        *,
        transport: "httpx.AsyncBaseTransport | None" = None,
        **options: Any,
    ) -> "HttpClient":
        """Return an ``httpx.AsyncClient``.

        Args:
            http: See above.
            transport: What sends an attempt; None: connections of its own.
            options: Further ones of the client. Any: they are httpx's.
        """
        with part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx  # noqa: PLC0415

        return httpx.http_client(
            self._policy(), http or self._http(), transport=transport, **options
        )

    def sync_http_client(
        self,
        http: "Http | None" = None,
        *,
        transport: "httpx.BaseTransport | None" = None,
        **options: Any,
    ) -> "SyncHttpClient":
        """Return an ``httpx.Client``; arguments as those of ``http_client``."""
        with part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx  # noqa: PLC0415

        return httpx.sync_http_client(
            self._policy(), http or self._http(), transport=transport, **options
        )

    def httpx_transport(self, http: "Http | None" = None) -> "AsyncPolicyTransport":
        """Return a transport for an ``httpx.AsyncClient`` of your own."""
        with part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx_transport  # noqa: PLC0415

        return httpx_transport.AsyncPolicyTransport(self._policy(), http or self._http())

    def sync_httpx_transport(self, http: "Http | None" = None) -> "PolicyTransport":
        """Return a transport for an ``httpx.Client`` of your own."""
        with part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx_transport  # noqa: PLC0415

        return httpx_transport.PolicyTransport(self._policy(), http or self._http())

    def requests_session(self, http: "Http | None" = None) -> "PolicySession":
        """Return a ``requests.Session``."""
        with part("requests"):
            from mainstay.service.outbound.adapters.http_clients import requests  # noqa: PLC0415

        return requests.PolicySession(self._policy(), http or self._http())

    def requests_adapter(self, http: "Http | None" = None) -> "PolicyAdapter":
        """Return an adapter to mount in a ``requests.Session`` of your own."""
        with part("requests"):
            from mainstay.service.outbound.adapters.http_clients import requests  # noqa: PLC0415

        return requests.PolicyAdapter(self._policy(), http or self._http())

    def aiohttp_session(
        self, http: "Http | None" = None, **options: Any
    ) -> "aiohttp.ClientSession":
        """Return an ``aiohttp.ClientSession``. Call it where a loop runs.

        Args:
            http: See above.
            options: Further ones of the session. Any: they are aiohttp's.
        """
        with part("aiohttp"):
            from mainstay.service.outbound.adapters.http_clients import aiohttp  # noqa: PLC0415

        return aiohttp.aiohttp_session(self._policy(), http or self._http(), **options)

    def aiohttp_middleware(self, http: "Http | None" = None) -> "PolicyMiddleware":
        """Return a middleware for an ``aiohttp.ClientSession`` of your own; the last one there."""
        with part("aiohttp"):
            from mainstay.service.outbound.adapters.http_clients import aiohttp  # noqa: PLC0415

        return aiohttp.PolicyMiddleware(self._policy(), http or self._http())
