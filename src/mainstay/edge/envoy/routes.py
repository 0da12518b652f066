"""Envoy's routes: one route configuration for all services, a virtual host for each.

One, because each route configuration that is read from a file takes an inotify instance, and
Linux gives a user 128. The listeners name the service in a header that they overwrite, and
``vhost_header`` chooses by it, so a client's Host header never chooses the service.
"""

import math
from collections.abc import Iterable

from mainstay.edge.envoy.clusters import cluster_name
from mainstay.edge.envoy.private_paths import LISTENER_HEADER, hidden_route
from mainstay.edge.envoy.protojson import JsonObject, JsonValue, any_of, extension, seconds
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import Balance, EdgeRetry

ROUTES_NAME = "mainstay"
SERVICE_HEADER = "x-mainstay-service"
"""Which service the listener stands before; set by the listener."""

PEER_HEADER = "x-mainstay-peer"
"""The caller's address; set by internal listeners."""

PRIVATE_HEADERS = (
    SERVICE_HEADER,
    PEER_HEADER,
    LISTENER_HEADER,
    "x-envoy-internal",
    "x-envoy-external-address",
)
"""What the edge tells itself, removed before the replica sees the request."""

TIMEOUT_GRACE_S = 1.0
"""The edge gives up this long after the service itself should have: its answer says more."""

RETRY_BODY_BYTES = 1024 * 1024
"""A request whose body is longer is not kept, and so not retried."""

HOST_ATTEMPTS = 1000
"""Draws for a replica that was not tried yet; after them a tried one is taken. A dead replica has
nothing in flight, so whenever it is drawn it is preferred: of two replicas, five draws pass it by
in one of 32 tries, and a thousand tries miss that once in 10^13. A draw takes some 50 ns."""

BACKOFF_S = (0.01, 0.1)
"""Jittered pause before a retry, first and longest: the next replica is another process, so there
is nothing to wait for but a burst to spread."""

_CONDITIONS = {
    "connect": "connect-failure",
    "reset_before_request": "reset-before-request",
    "reset": "reset",
    "503": "retriable-status-codes",
    "5xx": "5xx",
    "gateway": "gateway-error",
}
_ANSWERED = frozenset({"503", "5xx", "gateway"})
"""The replica has answered, so the request was worked on: only for methods that may be repeated."""


def route_configuration(declarations: Iterable[Declaration], topology: Topology) -> JsonObject:
    """Return the route configuration of all services, in the order given."""
    return {
        **any_of("envoy.config.route.v3.RouteConfiguration"),
        "name": ROUTES_NAME,
        "vhost_header": SERVICE_HEADER,
        "virtual_hosts": [_virtual_host(declaration, topology) for declaration in declarations],
        "request_headers_to_remove": list(PRIVATE_HEADERS),
        "response_headers_to_remove": ["x-envoy-upstream-service-time"],
    }


def _virtual_host(declaration: Declaration, topology: Topology) -> JsonObject:
    hidden = hidden_route(declaration)
    return {
        "name": declaration.service,
        "domains": [declaration.service],
        "request_body_buffer_limit": RETRY_BODY_BYTES,
        "routes": [
            *((hidden,) if hidden else ()),
            _route(declaration, topology, repeatable=True),
            _route(declaration, topology, repeatable=False),
        ],
    }


def _route(declaration: Declaration, topology: Topology, *, repeatable: bool) -> JsonObject:
    edge = declaration.edge
    timeout_s = route_timeout_s(declaration)
    # A WebSocket starts with a GET that must not be repeated once it arrived.
    headers: list[JsonObject] = [
        {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}}},
        {"name": "upgrade", "present_match": True, "invert_match": True},
    ]
    action: dict[str, JsonValue] = {
        **target(declaration, topology),
        # Nothing is how Envoy writes that there is no end.
        "timeout": seconds(0.0 if timeout_s == math.inf else timeout_s),
    }
    if edge.balance.policy in ("ring_hash", "maglev"):
        action["hash_policy"] = hash_policy(edge.balance)
    policy = retry_policy(edge.retry, timeout_s, repeatable=repeatable) if edge.retry else None
    if policy is not None:
        action["retry_policy"] = policy
        if "per_try_timeout" in policy:
            action["hedge_policy"] = {"hedge_on_per_try_timeout": True}
    return {
        "name": "repeatable" if repeatable else "other",
        "match": {"prefix": "/", **({"headers": headers} if repeatable else {})},
        "route": action,
    }


def route_timeout_s(declaration: Declaration) -> float:
    """Return how long a request may take at the edge, in seconds; infinite where nothing says."""
    if declaration.edge.timeout_s is not None:
        return declaration.edge.timeout_s
    return declaration.inbound.deadline_s + TIMEOUT_GRACE_S


def target(declaration: Declaration, topology: Topology) -> JsonObject:
    """Return where requests or connections go: a cluster, or several by their weights."""
    shares = split(declaration, topology)
    if len(shares) == 1:
        return {"cluster": cluster_name(declaration.service, shares[0][0])}
    clusters: list[JsonObject] = [
        {"name": cluster_name(declaration.service, version), "weight": weight}
        for version, weight in shares
    ]
    return {"weighted_clusters": {"clusters": clusters}}


def split(declaration: Declaration, topology: Topology) -> tuple[tuple[str, int], ...]:
    """Return (version, weight) of the versions that get traffic, sorted; never empty.

    Versions without replicas get none. Without weights each replica counts the same (or by its
    own weight, under the policy ``weighted``). Where the weights leave nothing that runs, they are
    put aside: an answer from a version with weight 0 is better than a 503.
    """
    running: dict[str, int] = {}
    for endpoint in topology.endpoints_of(declaration.service):
        own = endpoint.weight if declaration.edge.balance.policy == "weighted" else 1
        running[endpoint.version] = running.get(endpoint.version, 0) + own
    if not running:
        return ((declaration.version, 1),)
    weights = topology.weights_of(declaration.service)
    if weights is None:
        weights = declaration.edge.weights
    wanted = {version: weight for version, weight in weights if weight and version in running}
    return tuple(sorted((wanted or running).items()))


def hash_policy(balance: Balance) -> list[JsonObject]:
    """Return what is hashed: the header where a request has it, else the client's address."""
    by_address: JsonObject = {"connection_properties": {"source_ip": True}}
    if balance.hash_header is None:
        return [by_address]
    return [{"header": {"header_name": balance.hash_header}, "terminal": True}, by_address]


def retry_policy(retry: EdgeRetry, timeout_s: float, *, repeatable: bool) -> JsonObject | None:
    """Return when another replica is tried, or None where none ever is.

    Args:
        retry: The declared policy.
        timeout_s: Of the whole request; each attempt of a repeatable one gets an equal part
            before the next is started *beside* it. The first goes on, so a request that is slow
            but alive is never cut, and a replica that hangs does not eat the whole time.
        repeatable: GET, HEAD or OPTIONS, which may reach two replicas.
    """
    conditions = [_CONDITIONS[on] for on in retry.on if repeatable or on not in _ANSWERED]
    if not conditions or retry.attempts == 1:
        return None
    if repeatable and "reset" not in conditions:
        conditions.append("reset")
    policy: dict[str, JsonValue] = {
        "retry_on": ",".join(conditions),
        "num_retries": retry.attempts - 1,
        "retry_host_predicate": [
            extension(
                "envoy.retry_host_predicates.previous_hosts",
                "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
            )
        ],
        "host_selection_retry_max_attempts": HOST_ATTEMPTS,
        "retry_back_off": {
            "base_interval": seconds(BACKOFF_S[0]),
            "max_interval": seconds(BACKOFF_S[1]),
        },
    }
    if "retriable-status-codes" in conditions:
        policy["retriable_status_codes"] = [503]
    if repeatable and timeout_s != math.inf:
        policy["per_try_timeout"] = seconds(timeout_s / retry.attempts)
    return policy
