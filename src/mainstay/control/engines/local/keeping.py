"""What the engine and the proxy are, as a record that survives the daemon; and back."""

from collections.abc import Mapping

from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.engines.local.plan import Phase
from mainstay.control.engines.local.records import Record, ReplicaRecord, WishRecord
from mainstay.control.engines.local.services import Wishes
from mainstay.control.processes.identity import ProcessIdentity


def record_of(
    engine: LocalEngine,
    *,
    system: str,
    boot_id: str,
    edge: ProcessIdentity | None,
    internal_ports: Mapping[str, int],
) -> Record:
    """Return the record of everything that runs now.

    A replica that is leaving is recorded as one that was never ready: whoever adopts it must not
    send it traffic before it says again that it is ready, which it won't.
    """
    return Record(
        boot_id=boot_id,
        system=system,
        edge=edge,
        replicas=tuple(
            ReplicaRecord(
                identity=one.process.identity,
                service=one.service,
                number=one.number,
                port=one.port,
                probe_port=one.probe_port,
                version=one.version,
                revision=one.revision,
                check=one.check if one.phase is Phase.READY else None,
            )
            for one in engine.replicas
            if one.process is not None
        ),
        wishes=tuple(
            WishRecord(
                service=held.member.name,
                replicas=held.wishes.replicas,
                generation=held.wishes.generation,
            )
            for held in engine.services
        ),
        internal_ports=tuple(sorted(internal_ports.items())),
    )


def wishes_of(record: Record) -> dict[str, Wishes]:
    """Return what an earlier daemon was asked for."""
    return {
        one.service: Wishes(replicas=one.replicas, generation=one.generation)
        for one in record.wishes
    }
