"""Endpoints of a dependency, from the declaration and the engine's word."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from mainstay.service.address import AddressUnknown, base_url
from mainstay.service.outbound.balance.dns import DnsEndpoints
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.spec.declaration import Declaration

PORTS = {
    "amqp": 5672,
    "grpc": 80,
    "grpcs": 443,
    "http": 80,
    "https": 443,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "valkey": 6379,
    "valkeys": 6379,
}
"""Where a URL of a scheme goes that names no port."""


def declared_endpoints(
    name: str, declaration: Declaration, environ: Mapping[str, str]
) -> tuple[Endpoint, ...] | DnsEndpoints:
    """Return where a dependency is: one endpoint for an address, else what DNS knows of its name.

    Args:
        name: The dependency, as declared or by its service.
        declaration: Of the calling service.
        environ: Where the engine says ``MAINSTAY_URL_<NAME>``, which goes before the declared URL.

    Raises:
        AddressUnknown: It isn't declared, nobody said where it is, or the URL names no host.
    """
    endpoint = endpoint_of(name, base_url(name, declaration, environ))
    if is_address(endpoint.host):
        return (endpoint,)
    return DnsEndpoints(endpoint.host, endpoint.port)


def endpoint_of(name: str, url: str) -> Endpoint:
    """Return host and port of a URL.

    Args:
        name: The dependency's, for the sentence; which doesn't show the URL: it may hold a
            password.
        url: With a scheme.

    Raises:
        AddressUnknown: It names no host, or no port where its scheme has no usual one.
    """
    try:
        parts = urlsplit(url)
        port = PORTS.get(parts.scheme) if parts.port is None else parts.port
        if parts.hostname and port is None:
            raise AddressUnknown(
                (f"the URL of {name!r} names no port, and {parts.scheme} has no usual one",)
            )
        return Endpoint(host=parts.hostname or "", port=port or 0)
    except ValueError:
        raise AddressUnknown((f"the URL of {name!r} names no host or no valid port",)) from None


def is_address(host: str) -> bool:
    """Return whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
