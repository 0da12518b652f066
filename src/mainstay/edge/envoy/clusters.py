"""Envoy's clusters: the replicas of one version of a service, and how they are used.

Endpoints stand inline: a file of endpoints for each cluster would take an inotify instance each,
and Linux gives a user 128.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from mainstay.edge.envoy.protojson import JsonObject, JsonValue, any_of, extension, seconds
from mainstay.edge.topology import Endpoint, Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import HTTP, Edge, Ejection, HealthCheck

CONNECT_TIMEOUT_S = 2.0
"""Replicas are on this machine: a connection that takes long meets a full backlog, which drops it,
and the system tries again after 1 s. That once must have a chance; then another replica has."""

IDLE_TIMEOUT_S = 30.0
"""Of a pooled connection to an app that Mainstay serves, which itself keeps connections for 75 s
(row A8: 30 s). The edge must be the first to close: otherwise a request can meet a closing one."""

COMMAND_IDLE_TIMEOUT_S = 1.5
"""The same for a `command:`, whose server we don't know. The least of the common servers closes
after 2 s (gunicorn; uvicorn and Node.js after 5 s)."""

RETRIES_MIN = 32
"""Retries that may be in flight whatever the budget says. When one of three replicas dies, a third
of what is in flight is retried in one moment; a budget that is a share of a small number would
refuse that. In an outage it still bounds what retries add."""

PANIC_PERCENT = 1
"""Below this share of usable replicas Envoy uses all of them. At 1 that means: only when none is
left. Then trying beats a certain 503, since checks that all fail are more often wrong than right,
and a replica that really is gone still answers with a quick 503."""

EJECTION_TIME_MAX_S = 300.0
"""Longest ejection, however often the replica was ejected; Envoy's own default."""

EJECTION_SWEEP_S = 1.0
"""How often Envoy looks for replicas whose ejection is over: ejections last up to this longer."""

BUFFER_BYTES = 256 * 1024
"""Soft bound of what is buffered per connection and direction."""

_STATUS_5XX: JsonObject = {"name": ":status", "range_match": {"start": 500, "end": 600}}
_STATUS_503: JsonObject = {"name": ":status", "string_match": {"exact": "503"}}
_RETRY_AFTER: JsonObject = {"name": "retry-after", "present_match": True}
_ASKS_TO_COME_BACK: JsonObject = {
    "and_match": {
        "rules": [
            {"http_response_headers_match": {"headers": [_STATUS_503]}},
            {"http_response_headers_match": {"headers": [_RETRY_AFTER]}},
        ]
    }
}
_FAILURE: JsonObject = {
    "and_match": {
        "rules": [
            {"http_response_headers_match": {"headers": [_STATUS_5XX]}},
            {"not_match": _ASKS_TO_COME_BACK},
        ]
    }
}
"""Which answers count towards the ejection of a replica: 5xx, but no 503 with ``Retry-After``. That
one is healthy and has more to do than it can; the others would have its share too, and be next."""

PERCENT = 100
_POLICIES = "envoy.extensions.load_balancing_policies"


def cluster_name(service: str, version: str) -> str:
    """Return the name of the cluster that holds the replicas of one version of a service."""
    return f"{service}@{version}"


def service_of_cluster(name: str) -> str:
    """Return the service that a cluster belongs to; the inverse of ``cluster_name``."""
    return name.partition("@")[0]


def version_of_cluster(name: str) -> str:
    """Return the version of the replicas of a cluster."""
    return name.partition("@")[2]


def compile_clusters(declaration: Declaration, topology: Topology) -> Iterator[JsonObject]:
    """Yield a cluster for each version that has replicas, sorted; an empty one where none has.

    The empty one makes requests fail at once with a 503 of the edge.
    """
    endpoints = topology.endpoints_of(declaration.service)
    versions = sorted({endpoint.version for endpoint in endpoints}) or [declaration.version]
    edge = declaration.edge
    # What would not know HTTP is never asked in it, whatever was found.
    found = topology.check_of(declaration.service) if edge.protocol == HTTP else edge.check_kind
    health = health_check(edge.health, found, declaration.service)
    # What the app itself answers is asked where the app is, and so is whether a port is open.
    has_own_port = "http_health_check" in health and declaration.inbound.health.answers(
        edge.health.path
    )
    weighted = edge.balance.policy == "weighted"
    for version in versions:
        members = [
            _endpoint(one, weighted=weighted, has_own_port=has_own_port)
            for one in endpoints
            if one.version == version
        ]
        yield _cluster(declaration, cluster_name(declaration.service, version), members, health)


def _cluster(
    declaration: Declaration, name: str, members: Sequence[JsonObject], health: JsonObject
) -> JsonObject:
    edge = declaration.edge
    return {
        **any_of("envoy.config.cluster.v3.Cluster"),
        "name": name,
        "type": "STATIC",
        "connect_timeout": seconds(CONNECT_TIMEOUT_S),
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": members}],
        },
        "load_balancing_policy": balance_policy(edge.balance.policy),
        "common_lb_config": {
            "healthy_panic_threshold": {"value": PANIC_PERCENT},
            # Envoy would gather changes of health for a second before it acts on them.
            "update_merge_window": "0s",
        },
        "health_checks": [health],
        # A replica that left the topology is gone for the edge, whatever its last check said.
        "ignore_health_on_host_removal": True,
        "circuit_breakers": {"thresholds": [_thresholds(edge)]},
        **({"outlier_detection": outlier_detection(edge.eject)} if edge.eject else {}),
        **_protocol(declaration),
    }


def _endpoint(endpoint: Endpoint, *, weighted: bool, has_own_port: bool) -> JsonObject:
    """Return one replica; ``has_own_port`` says that checks may be asked at its port for them."""
    address: JsonObject = {"address": endpoint.host, "port_value": endpoint.port}
    found: dict[str, JsonValue] = {"address": {"socket_address": address}}
    if has_own_port and endpoint.probe_port:
        found["health_check_config"] = {"port_value": endpoint.probe_port}
    weight = {"load_balancing_weight": endpoint.weight} if weighted else {}
    return {"endpoint": found, **weight}


def balance_policy(policy: str) -> JsonObject:
    """Return Envoy's form of a balance policy of the declaration.

    ``least_requests`` compares three replicas drawn at random where Envoy by itself draws two: of
    three replicas, two draws meet the same one in a ninth of all cases, so one that hangs would go
    on getting requests; with three draws it is one in 27. It never compares all of them: a replica
    that died has no requests in flight, so it would be the least loaded of all, and a retry would
    draw it again and again.

    ``least_response_time`` has a stand-in, since Envoy measures no response times for balancing:
    the same with five draws. At a given rate, requests in flight are proportional to the response
    time (Little's law). It has no effect while there is never more than one request in flight.
    """
    choices: Mapping[str, tuple[str, JsonObject]] = {
        "round_robin": ("round_robin", {}),
        "weighted": ("round_robin", {}),
        "least_requests": ("least_request", {"choice_count": 3}),
        "least_response_time": ("least_request", {"choice_count": 5}),
        "ring_hash": ("ring_hash", {}),
        "maglev": ("maglev", {}),
        "random": ("random", {}),
    }
    name, fields = choices[policy]
    message = "".join(word.capitalize() for word in name.split("_"))
    config = extension(
        f"envoy.load_balancing_policies.{name}", f"{_POLICIES}.{name}.v3.{message}", fields
    )
    return {"policies": [{"typed_extension_config": config}]}


def health_check(health: HealthCheck, found: str, service: str) -> JsonObject:
    """Return the active check; ``found`` decides where the declaration says ``auto``.

    The first check of a replica decides at once, whatever ``fall`` and ``rise`` are.
    """
    kind = found if health.kind == "auto" else health.kind
    probe: JsonObject = {"tcp_health_check": {}}
    if kind == "http":
        probe = {
            "http_health_check": {
                "host": service,
                "path": health.path,
                "expected_statuses": [{"start": 200, "end": 201}],
                # Without these Envoy takes any other status as final and `fall` has no meaning.
                "retriable_statuses": [{"start": 100, "end": 200}, {"start": 201, "end": 600}],
            }
        }
    return {
        "interval": seconds(health.interval_s),
        # Envoy would check a cluster without traffic every 60 s only.
        "no_traffic_interval": seconds(health.interval_s),
        "timeout": seconds(health.timeout_s),
        "unhealthy_threshold": health.fall,
        "healthy_threshold": health.rise,
        # A new connection each time also asks whether the replica still accepts any, and cannot
        # meet one that the server closes in the same moment.
        "reuse_connection": False,
        **probe,
    }


def outlier_detection(eject: Ejection) -> JsonObject:
    """Return the ejection of replicas that fail requests.

    Resets, refused connections and timeouts count as 5xx, so one count sees them all.
    """
    return {
        "consecutive_5xx": eject.failures,
        "enforcing_consecutive_5xx": PERCENT,
        "enforcing_success_rate": 0,
        "interval": seconds(EJECTION_SWEEP_S),
        "base_ejection_time": seconds(eject.time_s),
        "max_ejection_time": seconds(max(EJECTION_TIME_MAX_S, eject.time_s)),
        # Envoy compares whole percents: a third of three replicas would be just out of reach. The
        # rounding in between is for 0.07, which times 100 is a little more than 7.
        "max_ejection_percent": math.ceil(round(eject.share_max * PERCENT, 6)),
        # A replica that answers its checks and fails its requests must stay out for its time.
        "successful_active_health_check_uneject_host": False,
    }


def _thresholds(edge: Edge) -> JsonObject:
    limits = edge.limits
    thresholds: dict[str, JsonValue] = {
        # HTTP/1.1 has one request on a connection, so the other two bound the connections. A lesser
        # bound would make requests above `requests` wait, and not be answered at once.
        "max_connections": limits.requests + limits.pending,
        "max_pending_requests": limits.pending,
        "max_requests": limits.requests,
    }
    if edge.retry is not None and edge.protocol == HTTP:
        thresholds["retry_budget"] = {
            "budget_percent": {"value": edge.retry.budget * PERCENT},
            "min_retry_concurrency": RETRIES_MIN,
        }
    return thresholds


def _protocol(declaration: Declaration) -> JsonObject:
    if declaration.edge.protocol != HTTP:
        return {}
    idle_s = IDLE_TIMEOUT_S if declaration.command is None else COMMAND_IDLE_TIMEOUT_S
    options = any_of(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        {
            "common_http_protocol_options": {"idle_timeout": seconds(idle_s)},
            "explicit_http_config": {"http_protocol_options": {}},
            **(
                {"outlier_detection": {"error_matcher": _FAILURE}} if declaration.edge.eject else {}
            ),
        },
    )
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        }
    }
