"""The loopback ports by which services of one system reach each other, through its proxy."""

from collections.abc import Iterable, Mapping

from mainstay.control.engines.local.ports import HOST, Ports, is_free
from mainstay.spec.declaration import System


class InternalPorts:
    """Gives a port to each service that others call, which keeps it as long as it is declared.

    Args:
        ports: Hands out free ones.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._known: dict[str, int] = {}

    @property
    def known(self) -> Mapping[str, int]:
        """Service -> port, as it is now."""
        return dict(self._known)

    def recall(self, known: Iterable[tuple[str, int]]) -> None:
        """Take ports that were given, by an earlier daemon too."""
        for service, port in known:
            self._known[service] = port
            self._ports.taken(port)

    def give(self, system: System) -> frozenset[str]:
        """Give a port to each service of a system that is called; return those that had none.

        Raises:
            NoPortFree: There is none.
        """
        called = {
            dependency.service
            for member in system.members
            for _, dependency in member.declaration.dependencies
            if dependency.service is not None
        }
        # All or none.
        given = {service: self._ports.free() for service in called - self._known.keys()}
        self.recall(given.items())
        return frozenset(given)

    def keep(self, system: System) -> None:
        """Forget the ports of services that a system does not have."""
        self.take_back(self._known.keys() - {member.name for member in system.members})

    def take_back(self, services: Iterable[str]) -> None:
        """Forget the ports of some services."""
        for service in services:
            self._ports.released(self._known.pop(service))

    def held_by_others(self) -> frozenset[str]:
        """Return the services whose port somebody listens on, while no proxy of ours runs."""
        return frozenset(name for name, port in self._known.items() if not is_free(HOST, port))
