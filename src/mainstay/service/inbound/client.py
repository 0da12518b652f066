"""Who the client is: the peer, or whom a peer that is trusted names.

Each proxy puts the address that it saw behind those that it was told, so the list is read from its
end, for as long as what stands there is a proxy of one's own. Whatever stands before the first
stranger is the stranger's word.
"""

import ipaddress
import socket

UNIX = "unix"
_HOPS_MAX = 32
"""Of ``X-Forwarded-For``: behind more proxies of one's own nobody looks any further."""

_KNOWN_MAX = 1024
"""Peers and lists that are remembered: proxies are few, and most clients ask again soon."""

_REMEMBERED_BYTES_MAX = 128
"""Of a list; a longer one is read each time."""

# IPv4 addresses as IPv6 writes them; a socket that listens to both shows peers so.
_MAPPED = bytes(10) + b"\xff\xff"


class Trust:
    """The networks whose word is taken. Shared by tasks and threads.

    Args:
        networks: As ``inbound.trust`` has them.

    Attributes:
        known: Peers that were asked for, and whether they are trusted. Who asks for each request
            looks here first.
        clients: Lists that were asked for, and whom they name; likewise.
    """

    __slots__ = ("_networks", "_unix", "clients", "known")

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._unix = UNIX in networks
        parsed = [ipaddress.ip_network(one) for one in networks if one != UNIX]
        self._networks = tuple(
            (one.max_prefixlen // 8, int(one.netmask), int(one.network_address)) for one in parsed
        )
        self.known: dict[str | None, bool] = {None: self._unix, "": self._unix}
        self.clients: dict[bytes, str] = {}

    def __contains__(self, peer: str | None) -> bool:
        """Return whether the word of ``peer`` is taken; None and an empty one are a Unix socket."""
        known = self.known.get(peer)
        if known is None:
            packed = packed_of(peer or "")
            known = packed is not None and self._holds(packed)
            if len(self.known) >= _KNOWN_MAX:
                # Proxies are soon known again.
                self.known = {None: self._unix, "": self._unix}
            self.known[peer] = known
        return known

    def client(self, peer: str | None, forwarded: bytes) -> str | None:
        """Return the address of the client behind a peer that is trusted.

        Args:
            peer: Address of the other end of the connection.
            forwarded: ``X-Forwarded-For``.
        """
        client = self.clients.get(forwarded)
        if client is None:
            client = self._read(forwarded)
            if client is None:
                return peer
            if len(self.clients) >= _KNOWN_MAX:
                self.clients = {}
            if len(forwarded) <= _REMEMBERED_BYTES_MAX:
                self.clients[forwarded] = client
        return client

    def is_inside(self, peer: str | None, forwarded: bytes | None) -> bool:
        """Return whether who asks is in ``inbound.trust``, and not only the proxy before it.

        Args:
            peer: Address of the other end of the connection.
            forwarded: ``X-Forwarded-For``; None where there is none.
        """
        if peer not in self:
            return False
        return forwarded is None or self.client(peer, forwarded) in self

    def _read(self, forwarded: bytes) -> str | None:
        """Return the last stranger of a list, or its last address that could be read, or None."""
        client = None
        rest = forwarded
        for _ in range(_HOPS_MAX):
            rest, comma, last = rest.rpartition(b",")
            packed = packed_of(last.decode("latin-1").strip())
            if packed is None:
                # Not an address: who wrote that is not to be believed about anything before it.
                return client
            client = _text_of(packed)
            if not comma or not self._holds(packed):
                return client
        return client

    def _holds(self, packed: bytes) -> bool:
        number, size = int.from_bytes(packed), len(packed)
        return any(
            size == length and number & mask == network for length, mask, network in self._networks
        )


def packed_of(address: str) -> bytes | None:
    """Return an address as 4 or 16 bytes, or None where it is none.

    A port behind it goes, as in ``192.0.2.1:5000`` and ``[2001:db8::1]:5000``; so does a zone.
    """
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    family = socket.AF_INET
    if ":" in address:
        family, address = socket.AF_INET6, address.partition("%")[0]
    try:
        packed = socket.inet_pton(family, address)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_MAPPED) and family is socket.AF_INET6 else packed


def _text_of(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)  # noqa: PLR2004  Bytes of IPv4.
