"""What Envoy has taken: read from its counters, and compared with what it was told. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainstay.edge.envoy.protojson import JsonObject
from mainstay.edge.envoy.resources import Discovery, Kind, Resources, discoveries, discovery
from mainstay.edge.running.moves import Address, moves

STATS_TARGET = (
    "/stats?format=json&usedonly&filter="
    "%5E(cluster_manager%5C.(cds|warming)|listener_manager%5C.(lds|total_listeners_warming)"
    "|http%5C..*%5C.rds%5C.)"
)
"""What of Envoy's admin interface ``read_uptake`` reads. ``usedonly`` leaves out counters that are
still zero, without which 120 services would take 15 ms an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """What Envoy holds.

    Attributes:
        versions: The version it took last, of each kind that it has taken any of.
        rejected: How many files of each kind it has refused since it started.
        warming: Clusters and listeners that it has taken but does not use yet: a cluster waits
            for the first health check of its replicas.
    """

    versions: dict[Kind, str] = field(default_factory=dict)
    rejected: dict[Kind, int] = field(default_factory=dict)
    warming: int = 0

    def serves(self, file: Discovery) -> bool:
        """Tell whether requests are served by what ``file`` says."""
        return self.versions.get(file.kind) == file.version and self.warming == 0

    def serves_all(self, files: Sequence[Discovery]) -> bool:
        """Tell whether requests are served by all ``files``.

        Routes count once a listener has asked for them: an edge without any never takes them.
        """
        return all(
            self.serves(file)
            for file in files
            if file.kind is not Kind.ROUTES or Kind.ROUTES in self.versions
        )


def read_uptake(body: bytes) -> Uptake:
    """Read the answer to ``STATS_TARGET``; what is not in it counts as not taken."""
    versions: dict[Kind, str] = {}
    rejected: dict[Kind, int] = {}
    warming = 0
    for stat in _stats(body):
        name, value = stat.get("name"), stat.get("value")
        if not isinstance(name, str):
            continue
        kind = _kind_of(name)
        if name.endswith(("warming_clusters", "total_listeners_warming")):
            warming += value if isinstance(value, int) else 0
        elif kind and name.endswith(".version_text") and isinstance(value, str) and value:
            versions[kind] = value
        elif kind and name.endswith(".update_rejected") and isinstance(value, int):
            rejected[kind] = rejected.get(kind, 0) + value
    return Uptake(versions=versions, rejected=rejected, warming=warming)


def _stats(body: bytes) -> list[JsonObject]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    stats = found.get("stats") if isinstance(found, dict) else None
    return [one for one in stats if isinstance(one, dict)] if isinstance(stats, list) else []


def _kind_of(name: str) -> Kind | None:
    if name.startswith("cluster_manager.cds."):
        return Kind.CLUSTERS
    if name.startswith("listener_manager.lds."):
        return Kind.LISTENERS
    if ".rds." in name:
        return Kind.ROUTES
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A file to write, once the addresses in ``free`` are."""

    file: Discovery
    free: tuple[Address, ...] = ()


def plan_push(held: Resources, wanted: Resources, uptake: Uptake) -> tuple[Step, ...]:
    """Return the files to write, in order; none where Envoy has everything.

    New clusters come before the routes to them, and clusters that vanish go after the last route
    to them has: at no moment does a route lead nowhere. For the listeners see ``moves``.

    Args:
        held: What is in the files now; its routes don't matter.
        wanted: What shall be.
        uptake: What Envoy says that it has. It decides, since a file may have been refused.
    """
    names = {one["name"] for one in wanted.clusters}
    leaving = [one for one in held.clusters if one["name"] not in names]
    clusters, routes, listeners = discoveries(wanted)
    first = discovery(Kind.CLUSTERS, (*wanted.clusters, *leaving)) if leaving else clusters
    steps = [
        Step(file=file)
        for file in (first, routes)
        if uptake.versions.get(file.kind) != file.version
    ]
    if uptake.versions.get(listeners.kind) != listeners.version:
        steps += [
            Step(file=discovery(Kind.LISTENERS, move.listeners), free=move.free)
            for move in moves(held.listeners, wanted.listeners)
        ]
    return (*steps, Step(file=clusters)) if leaving else tuple(steps)
