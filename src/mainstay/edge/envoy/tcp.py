"""Envoy's way for what speaks no HTTP: bytes from the listener to a replica, and back.

Nothing here knows a request. A connection goes to one replica and ends with it: a client that finds
it closed opens another, which goes to whoever is there then.
"""

from mainstay.edge.envoy.protojson import JsonObject, JsonValue, extension, seconds
from mainstay.edge.envoy.routes import target
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import Declaration

IDLE_S = 3600.0
"""A connection on which no byte moved for so long is closed: pools of clients keep connections
that they seldom use, and who vanished without a word must not hold one for ever. Envoy's own."""


def tcp_proxy(declaration: Declaration, stat_prefix: str, topology: Topology) -> JsonObject:
    """Return the filter that carries a connection to a replica of a service."""
    edge = declaration.edge
    fields: dict[str, JsonValue] = {
        "stat_prefix": stat_prefix,
        **target(declaration, topology),
        "idle_timeout": seconds(IDLE_S),
        "max_connect_attempts": edge.retry.attempts if edge.retry is not None else 1,
    }
    if edge.balance.policy in ("ring_hash", "maglev"):
        fields["hash_policy"] = [{"source_ip": {}}]
    return extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        fields,
    )
