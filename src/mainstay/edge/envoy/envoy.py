"""From the declarations and what runs to everything that Envoy is told. No clock, no I/O."""

from mainstay.edge.envoy.clusters import compile_clusters
from mainstay.edge.envoy.listeners import compile_listeners
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.envoy.routes import route_configuration
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import System
from mainstay.spec.edge import HTTP


def compile_edge(system: System, topology: Topology) -> Resources:
    """Return the resources for a system: equal ones for equal declarations and replicas.

    Args:
        system: The declarations, already checked as a whole: names and ports are unique.
        topology: What runs. What it says of services that the system does not have is ignored.
    """
    declarations = [member.declaration for member in system.members]
    return Resources(
        clusters=tuple(
            cluster
            for declaration in declarations
            for cluster in compile_clusters(declaration, topology)
        ),
        routes=(
            route_configuration(
                [one for one in declarations if one.edge.protocol == HTTP], topology
            ),
        ),
        listeners=tuple(
            listener
            for declaration in declarations
            for listener in compile_listeners(declaration, topology)
        ),
    )
