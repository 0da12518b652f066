"""The clients that a policy makes: those of other libraries, with the policy inside.

Each method imports its library when it is called, and says how to get it where it is missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from mainstay.core.errors import PartMissing

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
    from mainstay.service.outbound.policy import Policy


@contextmanager
def _part(library: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise PartMissing(f"{library} is not installed: pip install {library}") from error


class Clients:
    """The part of ``Policy`` that makes clients.

    All take ``http``, what a client needs to know beside the policy; None: what ``_http`` says.
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
        with _part("httpx"):
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
        with _part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx  # noqa: PLC0415

        return httpx.sync_http_client(
            self._policy(), http or self._http(), transport=transport, **options
        )

    def httpx_transport(self, http: "Http | None" = None) -> "AsyncPolicyTransport":
        """Return a transport for an ``httpx.AsyncClient`` of your own."""
        with _part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx_transport  # noqa: PLC0415

        return httpx_transport.AsyncPolicyTransport(self._policy(), http or self._http())

    def sync_httpx_transport(self, http: "Http | None" = None) -> "PolicyTransport":
        """Return a transport for an ``httpx.Client`` of your own."""
        with _part("httpx"):
            from mainstay.service.outbound.adapters.http_clients import httpx_transport  # noqa: PLC0415

        return httpx_transport.PolicyTransport(self._policy(), http or self._http())

    def requests_session(self, http: "Http | None" = None) -> "PolicySession":
        """Return a ``requests.Session``."""
        with _part("requests"):
            from mainstay.service.outbound.adapters.http_clients import requests  # noqa: PLC0415

        return requests.PolicySession(self._policy(), http or self._http())

    def requests_adapter(self, http: "Http | None" = None) -> "PolicyAdapter":
        """Return an adapter to mount in a ``requests.Session`` of your own."""
        with _part("requests"):
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
        with _part("aiohttp"):
            from mainstay.service.outbound.adapters.http_clients import aiohttp  # noqa: PLC0415

        return aiohttp.aiohttp_session(self._policy(), http or self._http(), **options)

    def aiohttp_middleware(self, http: "Http | None" = None) -> "PolicyMiddleware":
        """Return a middleware for an ``aiohttp.ClientSession`` of your own; the last one there."""
        with _part("aiohttp"):
            from mainstay.service.outbound.adapters.http_clients import aiohttp  # noqa: PLC0415

        return aiohttp.PolicyMiddleware(self._policy(), http or self._http())

    def _http(self) -> "Http":
        """Return the options of clients that are made without any."""
        from mainstay.service.outbound.adapters.http_clients.options import Http  # noqa: PLC0415

        return Http()

    def _policy(self) -> "Policy":
        return cast("Policy", self)
