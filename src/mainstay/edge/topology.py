"""What runs at the moment: the replicas behind each service, as the edge needs to know them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """Where one replica listens.

    Attributes:
        host: An IP address; names are not resolved.
        port: 1 to 65535.
        version: What it runs; traffic is split by it.
        weight: Its share under the balance policy ``weighted``, 1 to 10,000; else without effect.
        probe_port: Where it answers the endpoints of its health as well, whatever it is busy with;
            0 where it has no such port.
    """

    host: str
    port: int
    version: str
    weight: int = 1
    probe_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The replicas, the split between versions, and the ports that services reach each other by.

    Attributes:
        endpoints: Service to the replicas that are ready, in any order.
        weights: Service to (version, weight); it takes the place of the declared
            ``edge.weights``. A service that is not named keeps what it declared.
        internal_ports: Service to the loopback port that its callers in the system use.
        checks: Service to ``http`` or ``tcp``: what the engine found where the declaration
            leaves ``edge.health.kind`` at ``auto``. A service that is not named gets ``tcp``.
    """

    endpoints: tuple[tuple[str, tuple[Endpoint, ...]], ...] = ()
    weights: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    internal_ports: tuple[tuple[str, int], ...] = ()
    checks: tuple[tuple[str, str], ...] = ()

    def endpoints_of(self, service: str) -> tuple[Endpoint, ...]:
        """Return the replicas of a service, sorted, so that order never looks like a change."""
        return tuple(sorted(dict(self.endpoints).get(service, ())))

    def weights_of(self, service: str) -> tuple[tuple[str, int], ...] | None:
        """Return the split that overrides the declared one, or None."""
        return dict(self.weights).get(service)

    def internal_port_of(self, service: str) -> int | None:
        """Return the loopback port of a service, or None where no other service calls it."""
        return dict(self.internal_ports).get(service)

    def check_of(self, service: str) -> str:
        """Return ``http`` or ``tcp`` for a service whose declaration leaves it open."""
        return dict(self.checks).get(service, "tcp")
