"""Where a channel goes, from the URL of a declared dependency."""

from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]  # It ships no types.

from mainstay.service.outbound.balance.declared import endpoint_of

_ENCRYPTED = {"grpcs", "https"}


def target_of(name: str, url: str) -> str:
    """Return ``host:port`` of a URL such as ``grpc://payments.internal:50051``.

    Raises:
        AddressUnknown: It names no host, or no port where its scheme has no usual one; ``name`` is
            the dependency's, for the sentence.
    """
    return str(endpoint_of(name, url))


def credentials_for(url: str) -> Any:
    """Return those of the system's authorities where the URL asks for TLS, else None."""
    return grpc.ssl_channel_credentials() if urlsplit(url).scheme in _ENCRYPTED else None
