"""From the declaration to a real proxy: pure compilers and the running Envoy."""

from mainstay.edge.envoy.envoy import compile_edge
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.events import (
    EdgeAdopted,
    EdgeDied,
    EdgeDrained,
    EdgeHung,
    EdgePushed,
    EdgePushRefused,
    EdgeRestartFailed,
    EdgeStarted,
)
from mainstay.edge.process import Launcher, Process
from mainstay.edge.running.runtime import EdgeRuntime
from mainstay.edge.running.stats import EdgeStats, ReplicaStats, ServiceStats
from mainstay.edge.topology import Endpoint, Topology

__all__ = [
    "EdgeAdopted",
    "EdgeDied",
    "EdgeDrained",
    "EdgeHung",
    "EdgePushRefused",
    "EdgePushed",
    "EdgeRestartFailed",
    "EdgeRuntime",
    "EdgeStarted",
    "EdgeStats",
    "Endpoint",
    "Launcher",
    "Process",
    "ReplicaStats",
    "Resources",
    "ServiceStats",
    "Topology",
    "compile_edge",
]
