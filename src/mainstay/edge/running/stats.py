"""Envoy's own figures of each service and replica, as values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.envoy.clusters import service_of_cluster, version_of_cluster
from mainstay.edge.envoy.listeners import service_of_stat_prefix
from mainstay.edge.envoy.protojson import JsonObject, JsonValue
from mainstay.edge.running.admin import Admin

REPLICAS_TARGET = "/clusters?format=json"
SERVICES_TARGET = (
    "/stats?format=json&filter="
    "%5Ehttp%5C.service-.*%5C.downstream_rq_(total|5xx|active|time)%24"
    "|%5Etcp%5C.service-.*%5C.downstream_cx_total%24"
)

_WHY = {
    "failed_active_health_check": "fails its health checks",
    "failed_outlier_check": "ejected: it failed too many requests in a row",
    "pending_active_hc": "not checked yet",
}
"""Envoy's flags and what they mean, the gravest first."""


class FiguresUnreadable(EdgeUnavailable):
    """Envoy's answer does not have the form of its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStats:
    """Figures of one replica.

    They count since the replica joined the edge: a push that changes the replicas of a version
    starts all of them anew.

    Attributes:
        address: ``host:port``.
        version: What it runs.
        healthy: Whether it gets traffic.
        why: Why it does not, or None.
        ejected: Whether it was ejected for failing requests.
        passing: Whether it passes its health checks, ejected or not.
        requests: Sent to it, retries included.
        errors: Of these, answered with 5xx or not at all.
        active: In flight now.
    """

    address: str
    version: str
    healthy: bool
    why: str | None
    ejected: bool
    passing: bool
    requests: int
    errors: int
    active: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStats:
    """Figures of one service since Envoy started.

    Attributes:
        service: Its name.
        requests: That arrived at its listeners, from outside and from other services; of a
            service that speaks no HTTP, the connections.
        errors: Answered with 5xx, by a replica or by the edge.
        active: In flight now.
        p50_ms: Median latency seen by clients, in the last two seconds that had requests counted
            together, or since the start where these had none; None before the first request.
        p99_ms: The 99th percentile, likewise.
        replicas: Sorted by version and address.
    """

    service: str
    requests: int
    errors: int
    active: int
    p50_ms: float | None
    p99_ms: float | None
    replicas: tuple[ReplicaStats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStats:
    """Figures of all services, sorted by name; a service without a listener is not among them."""

    services: tuple[ServiceStats, ...]


async def read_stats(admin: Admin) -> EdgeStats:
    """Ask Envoy for its figures.

    Raises:
        EdgeUnavailable: It did not answer; FiguresUnreadable where it answered something else.
    """
    services = await admin.get(SERVICES_TARGET)
    replicas = await admin.get(REPLICAS_TARGET)
    return parse_stats(services.body, replicas.body)


async def count_active(admin: Admin) -> int:
    """Return how many requests are in flight, of all services; raises as ``read_stats``."""
    answer = await admin.get(SERVICES_TARGET)
    return sum(counts.get("active", 0) for counts, _ in _services(answer.body).values())


def parse_stats(services: bytes, replicas: bytes) -> EdgeStats:
    """Return the figures from the answers to ``SERVICES_TARGET`` and ``REPLICAS_TARGET``.

    Raises:
        FiguresUnreadable: They are not such answers.
    """
    by_service = _replicas(replicas)
    return EdgeStats(
        services=tuple(
            ServiceStats(
                service=service,
                requests=counts.get("total", counts.get("connections", 0)),
                errors=counts.get("5xx", 0),
                active=counts.get("active", 0),
                p50_ms=quantiles.get(50.0),
                p99_ms=quantiles.get(99.0),
                replicas=tuple(by_service.get(service, ())),
            )
            for service, (counts, quantiles) in sorted(_services(services).items())
        )
    )


def _services(body: bytes) -> dict[str, tuple[dict[str, int], dict[float, float]]]:
    """Return, for each service, its counters by last word, and its quantiles in ms by percent."""
    found: dict[str, tuple[dict[str, int], dict[float, float]]] = {}
    for stat in _objects(_object(body), "stats"):
        if "histograms" in stat:
            for service, quantiles in _quantiles(stat["histograms"]):
                found.setdefault(service, ({}, {}))[1].update(quantiles)
            continue
        counted, word = _split(_text(stat, "name"))
        if counted is not None:
            found.setdefault(counted, ({}, {}))[0][word] = _whole(stat, "value")
    return found


def _split(name: str) -> tuple[str | None, str]:
    # http.service-<name>.downstream_rq_<word>, or tcp.service-<name>.downstream_cx_total: a
    # service's name has no dot.
    parts = name.split(".")
    if len(parts) != 3:  # noqa: PLR2004  As just shown.
        return None, ""
    word = "connections" if parts[0] == "tcp" else parts[2].removeprefix("downstream_rq_")
    return service_of_stat_prefix(parts[1]), word


def _quantiles(histograms: JsonValue) -> Iterator[tuple[str, dict[float, float]]]:
    if not isinstance(histograms, dict):
        raise FiguresUnreadable("Envoy's histograms have no form that is known")
    percents = _list(histograms, "supported_quantiles")
    for computed in _objects(histograms, "computed_quantiles"):
        service, _ = _split(_text(computed, "name"))
        if service is None:
            continue
        values: dict[float, float] = {}
        for percent, value in zip(percents, _objects(computed, "values"), strict=False):
            recent = value.get("interval")
            shown = value.get("cumulative") if recent is None else recent
            if isinstance(percent, int | float) and isinstance(shown, int | float):
                values[float(percent)] = float(shown)
        yield service, values


def _replicas(body: bytes) -> dict[str, list[ReplicaStats]]:
    found: dict[str, list[ReplicaStats]] = {}
    for cluster in _objects(_object(body), "cluster_statuses"):
        name = _text(cluster, "name")
        hosts = _objects(cluster, "host_statuses") if "host_statuses" in cluster else ()
        found.setdefault(service_of_cluster(name), []).extend(
            _replica(host, version_of_cluster(name)) for host in hosts
        )
    for replicas in found.values():
        replicas.sort(key=lambda one: (one.version, one.address))
    return found


def _replica(host: JsonObject, version: str) -> ReplicaStats:
    address = _child(_child(host, "address"), "socket_address")
    # Envoy leaves out what is zero.
    counts = {
        _text(stat, "name"): _whole(stat, "value") if "value" in stat else 0
        for stat in _objects(host, "stats")
    }
    health = _child(host, "health_status")
    why = next((sentence for flag, sentence in _WHY.items() if health.get(flag) is True), None)
    return ReplicaStats(
        address=f"{_text(address, 'address')}:{_whole(address, 'port_value')}",
        version=version,
        healthy=why is None,
        why=why,
        ejected=health.get("failed_outlier_check") is True,
        passing=health.get("failed_active_health_check") is not True,
        requests=counts.get("rq_total", 0),
        errors=counts.get("rq_error", 0),
        active=counts.get("rq_active", 0),
    )


def _object(body: bytes) -> JsonObject:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FiguresUnreadable("Envoy's figures are no JSON") from error
    if not isinstance(found, dict):
        raise FiguresUnreadable("Envoy's figures are no JSON object")
    return found


def _list(parent: JsonObject, key: str) -> list[JsonValue]:
    value = parent.get(key)
    if not isinstance(value, list):
        raise FiguresUnreadable(f"Envoy's figures have no list {key}")
    return value


def _objects(parent: JsonObject, key: str) -> Iterator[JsonObject]:
    for one in _list(parent, key):
        if not isinstance(one, dict):
            raise FiguresUnreadable(f"Envoy's figures have something else than objects in {key}")
        yield one


def _child(parent: JsonObject, key: str) -> Mapping[str, JsonValue]:
    value = parent.get(key)
    if not isinstance(value, dict):
        raise FiguresUnreadable(f"Envoy's figures have no object {key}")
    return value


def _text(parent: JsonObject, key: str) -> str:
    value = parent.get(key)
    if not isinstance(value, str):
        raise FiguresUnreadable(f"Envoy's figures have no text {key}")
    return value


def _whole(parent: JsonObject, key: str) -> int:
    value = parent.get(key)
    # Protobuf's JSON has 64-bit numbers as texts.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:  # noqa: PLR2004
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FiguresUnreadable(f"Envoy's figures have no number {key}")
