"""Endpoints of a dependency, from the declaration and the engine's word."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from mainstay.service.address import AddressUnknown, base_url
from mainstay.service.outbound.balance.dns import DnsEndpoints
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.spec.declaration import Declaration

PORTS = {
    "http": 80,
    "https": 443,
    "amqp": 5672,
    "grpc": 80,
    "mysql": 3306,
    "nats": 4222,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
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
    host, port = _host_and_port(name, base_url(name, declaration, environ))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return DnsEndpoints(host, port)
    return (Endpoint(host=str(address), port=port),)


def _host_and_port(name: str, url: str) -> tuple[str, int]:
    # The sentence doesn't show the URL: it may hold a password.
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = None
    if parts is None or not host:
        raise AddressUnknown((f"the URL of {name!r} names no host",))
    port = port or PORTS.get(parts.scheme)
    if port is None:
        raise AddressUnknown(
            (f"the URL of {name!r} names no port, and {parts.scheme} has no usual one",)
        )
    return host, port
