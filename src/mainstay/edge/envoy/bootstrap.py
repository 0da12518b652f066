"""What Envoy reads once, when it starts: its admin socket, its files, its own bounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mainstay.edge.envoy.protojson import JsonObject, JsonValue, extension
from mainstay.edge.envoy.resources import Resources

HEAP_BYTES_MAX = 2**30
"""Envoy refuses requests when its heap nears this: a machine that swaps serves nobody."""

STATS_INTERVAL_S = 2
"""How often Envoy merges its histograms: p50 and p99 of the status are of the last interval."""

PRIVATE_MODE = 0o600
"""Of the admin socket: whoever opens it can stop the proxy and read every header in flight."""

REGEX_SIZE_MAX = 10_000
"""Of Envoy's compiled expressions; all are ours. Its default of 100 is less than a declared path of
256 characters needs, and 10,000 is more than one that consists of the costliest characters."""

_MONITORS = "envoy.extensions.resource_monitors"


def bootstrap(*, admin_socket: Path, connections_max: int) -> JsonObject:
    """Return the bootstrap of an Envoy that takes its configuration from its working folder.

    Args:
        admin_socket: At most 107 bytes long, see ``core.sockets``.
        connections_max: Client connections of all listeners together; below the number of files
            that the process may open, since each may need a second one to a replica.
    """
    return {
        "node": {"id": "mainstay", "cluster": "mainstay"},
        "admin": {"address": {"pipe": {"path": str(admin_socket), "mode": PRIVATE_MODE}}},
        "dynamic_resources": {
            "cds_config": _file("./cds.json"),
            "lds_config": _file("./lds.json"),
        },
        "stats_flush_interval": f"{STATS_INTERVAL_S}s",
        "overload_manager": _overload(connections_max),
        "layered_runtime": _RUNTIME,
        "application_log_config": {"log_format": {"json_format": _LOG_LINE}},
    }


_RUNTIME: JsonObject = {
    "layers": [
        {
            "name": "mainstay",
            "static_layer": {"re2.max_program_size.error_level": REGEX_SIZE_MAX},
        }
    ]
}

_LOG_LINE: JsonObject = {
    "time": "%Y-%m-%dT%T.%e%z",
    "level": "%l",
    "logger": "%n",
    "message": "%j",
}


def validation_bootstrap(resources: Resources) -> JsonObject:
    """Return a bootstrap that holds ``resources`` themselves, to ask Envoy whether they are right.

    ``--mode validate`` reads no files of dynamic resources, so the routes stand in each listener.
    """
    routes = {str(one["name"]): _untyped(one) for one in resources.routes}
    return {
        "node": {"id": "mainstay", "cluster": "mainstay"},
        "layered_runtime": _RUNTIME,
        "static_resources": {
            "clusters": [_untyped(cluster) for cluster in resources.clusters],
            "listeners": [_inline(_untyped(listener), routes) for listener in resources.listeners],
        },
    }


def _file(path: str) -> JsonObject:
    return {"path_config_source": {"path": path}, "resource_api_version": "V3"}


def _untyped(resource: JsonObject) -> JsonObject:
    return {key: value for key, value in resource.items() if key != "@type"}


def _overload(connections_max: int) -> JsonObject:
    heap = "envoy.resource_monitors.fixed_heap"

    def at(share: float) -> list[JsonObject]:
        return [{"name": heap, "threshold": {"value": share}}]

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            extension(
                heap,
                f"{_MONITORS}.fixed_heap.v3.FixedHeapConfig",
                {"max_heap_size_bytes": HEAP_BYTES_MAX},
            ),
            extension(
                "envoy.resource_monitors.global_downstream_max_connections",
                f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
                {"max_active_downstream_connections": connections_max},
            ),
        ],
        "actions": [
            {"name": "envoy.overload_actions.shrink_heap", "triggers": at(0.8)},
            {"name": "envoy.overload_actions.disable_http_keepalive", "triggers": at(0.9)},
            {"name": "envoy.overload_actions.stop_accepting_requests", "triggers": at(0.95)},
        ],
    }


def _inline(value: JsonValue, routes: JsonObject) -> JsonValue:
    """Return ``value`` with every reference to a route configuration replaced by itself."""
    if isinstance(value, Mapping):
        rds = value.get("rds")
        kept = {key: _inline(one, routes) for key, one in value.items() if key != "rds"}
        if isinstance(rds, Mapping):
            kept["route_config"] = routes[str(rds["route_config_name"])]
        return kept
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_inline(one, routes) for one in value]
    return value
