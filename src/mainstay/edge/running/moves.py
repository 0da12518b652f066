"""How listeners come, go and change places without one standing in another's way. No I/O.

A listener's name holds its address, so one that moves is one that goes and one that comes. Envoy
removes before it adds, and hands the open socket of one that goes to one that comes at the same
address: two services swap their ports in a single update and no connection is refused. Only
0.0.0.0 and a single address of the same port exclude each other: there one must have gone.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mainstay.edge.envoy.protojson import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a listener listens: an IP address in its shortest form, and a port."""

    host: str
    port: int

    def excludes(self, other: "Address") -> bool:
        """Tell whether only one of two different addresses can be open at a time."""
        one, two = ipaddress.ip_address(self.host), ipaddress.ip_address(other.host)
        return (
            self.port == other.port
            and one != two
            and one.version == two.version
            and (one.is_unspecified or two.is_unspecified)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One update of the listeners.

    Attributes:
        listeners: All that shall be there after it.
        free: Addresses that must have become free before it.
    """

    listeners: tuple[JsonObject, ...]
    free: tuple[Address, ...] = ()


def moves(held: Sequence[JsonObject], wanted: Sequence[JsonObject]) -> tuple[Move, ...]:
    """Return the updates from ``held`` to ``wanted``: one, or up to three.

    What can come beside what goes comes first: when its port turns out to be taken, the update is
    refused while all that served still does. Then go those that exclude others, then these come.
    """
    kept = {one["name"] for one in held}
    staying = {one["name"] for one in wanted}
    leaving = [one for one in held if one["name"] not in staying]
    left = [address for one in leaving if (address := address_of(one)) is not None]
    arriving = [(one, address_of(one)) for one in wanted if one["name"] not in kept]
    barred = [
        one for one, at in arriving if at and any(at == old or at.excludes(old) for old in left)
    ]
    excluded = {at: one for one, at in arriving if at and any(at.excludes(old) for old in left)}
    planned = []
    if leaving and len(barred) < len(arriving):
        planned.append(Move(listeners=(*_without(wanted, barred), *leaving)))
    if excluded:
        planned.append(Move(listeners=_without(wanted, excluded.values())))
    return (*planned, Move(listeners=tuple(wanted), free=tuple(excluded)))


def _without(
    listeners: Iterable[JsonObject], others: Iterable[JsonObject]
) -> tuple[JsonObject, ...]:
    names = {one["name"] for one in others}
    return tuple(one for one in listeners if one["name"] not in names)


def address_of(listener: JsonObject) -> Address | None:
    """Return where a listener listens; None where that can't be read from it."""
    match listener:
        case {"address": {"socket_address": {"address": str(host), "port_value": int(port)}}}:
            try:
                return Address(host=str(ipaddress.ip_address(host)), port=port)
            except ValueError:
                return None
        case _:
            return None
