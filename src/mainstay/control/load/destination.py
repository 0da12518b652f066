"""Where requests really go: names are resolved once, and other machines refused unless asked for.

Resolving once means that what was checked is what is connected to: a name that answers
differently the second time changes nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from mainstay.control.load.pool import Endpoint
from mainstay.control.load.target import Origin
from mainstay.core.errors import LoadRefused

RESOLVE_S_MAX = 10.0
ADDRESSES_MAX = 16
"""Addresses of one name that are tried when looking for one that answers."""


class RemoteRefused(LoadRefused):
    """A target is another machine, and nobody said that it may be."""


async def resolve(
    origins: Iterable[Origin], *, allow_remote: bool, connect_timeout_s: float
) -> dict[Origin, Endpoint]:
    """Return the endpoint of each origin.

    A name with several addresses (``localhost`` has two) is tried once on each; the first that
    takes a connection is used for the whole test, or the first of all if none does.

    Raises:
        RemoteRefused: An address is not loopback and ``allow_remote`` is false.
        LoadRefused: A name cannot be resolved.
    """
    endpoints = {}
    for origin in dict.fromkeys(origins):
        addresses = await _addresses(origin)
        if not allow_remote:
            refuse_remote(origin, addresses)
        address = await _answering(addresses, origin.port, connect_timeout_s)
        tls = _tls() if origin.scheme == "https" else None
        endpoints[origin] = Endpoint(
            address=address,
            port=origin.port,
            tls=tls,
            server_name=origin.host if tls else None,
        )
    return endpoints


def refuse_remote(origin: Origin, addresses: Iterable[str]) -> None:
    """Raise RemoteRefused unless every address is of this machine's loopback interface."""
    for address in addresses:
        if not _is_loopback(address):
            raise RemoteRefused(
                f"{origin} is at {address}, which is not this machine's loopback: "
                "say --allow-remote if the system there is yours to load"
            )


def _is_loopback(address: str) -> bool:
    parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


async def _addresses(origin: Origin) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S_MAX):
            found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise LoadRefused(f"{origin.host} has no address: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise LoadRefused(f"{origin.host} has no address")
    return list(dict.fromkeys(addresses))[:ADDRESSES_MAX]


async def _answering(addresses: list[str], port: int, connect_timeout_s: float) -> str:
    if len(addresses) == 1:
        return addresses[0]
    for address in addresses:
        try:
            async with asyncio.timeout(connect_timeout_s):
                _, writer = await asyncio.open_connection(address, port)
        except OSError:
            continue
        writer.close()
        return address
    return addresses[0]


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # Only HTTP/1.1 is spoken here; without this a server may choose HTTP/2.
    context.set_alpn_protocols(["http/1.1"])
    return context
