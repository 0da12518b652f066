"""What a daemon must know of its predecessor: ``state.json``, replaced whole or not at all."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mainstay.control.processes.identity import ProcessIdentity, boot_id
from mainstay.control.processes.wire import WireInvalid, from_wire, read_object, to_wire
from mainstay.core.errors import EngineRefused

__all__ = [
    "Loaded",
    "Record",
    "ReplicaRecord",
    "StateNotSaved",
    "Survivors",
    "WishRecord",
    "boot_id",
    "load",
    "replace_file",
    "save",
    "survivors",
]

FORMAT = 1
"""Goes up with every change that an older reader would misread."""

STATE_BYTES_MAX = 16 * 2**20
"""Far more than a machine can run; a longer file is not ours."""

PORT_MAX = 65535


class StateNotSaved(EngineRefused):
    """The state could not be written; the file still has the state before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRecord:
    """One replica that runs.

    Attributes:
        identity: Its processes and files.
        service: The service.
        number: Its number within the service, from 1.
        port: Where it listens, on loopback.
        probe_port: Where it answers probes beside its work, on loopback; as long as it was not
            ready, where it may. None: nowhere, as replicas of an earlier Mainstay.
        version: Version of the service.
        revision: What of the declaration it was started from.
        check: How the edge checks it, ``http`` or ``tcp``; None as long as it was not ready.
        started_at_s: Wall time of its start in seconds since 1970, for people.
    """

    identity: ProcessIdentity
    service: str
    number: int
    port: int
    version: str
    revision: str
    check: str | None = None
    started_at_s: float = 0.0
    probe_port: int | None = None

    def __post_init__(self) -> None:
        for port in (self.port, self.probe_port):
            if port is not None and not 0 < port <= PORT_MAX:
                raise ValueError(f"{port} is no port")


@dataclass(frozen=True, slots=True, kw_only=True)
class WishRecord:
    """What ``scale`` and ``restart`` asked of a service, beyond its declaration."""

    service: str
    replicas: int
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that a daemon knows and the next one needs.

    Attributes:
        boot_id: The boot in which the processes were started.
        system: Name of the system.
        edge: The proxy; None if none was started.
        replicas: What runs.
        wishes: What was asked for beyond the declarations.
        internal_ports: Service -> loopback port of its internal listener; the same for good.
        revisions: Service -> revision that is wanted.
    """

    boot_id: str
    system: str
    edge: ProcessIdentity | None = None
    replicas: tuple[ReplicaRecord, ...] = ()
    wishes: tuple[WishRecord, ...] = ()
    internal_ports: tuple[tuple[str, int], ...] = ()
    revisions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was found.

    Attributes:
        record: The state; None if there is none, or it cannot be read.
        trouble: Why it cannot be read, and where it was moved to; None if all is well.
    """

    record: Record | None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivors:
    """What of a record still runs.

    Attributes:
        edge: The proxy, if it does.
        replicas: The replicas that do.
        rest: The others. ``sweep`` ends what may be left of them.
        rebooted: The machine was started since; nothing of the record can be alive.
    """

    edge: ProcessIdentity | None
    replicas: tuple[ReplicaRecord, ...]
    rest: tuple[ProcessIdentity, ...]
    rebooted: bool


def survivors(
    record: Record, *, boot_id: str, alive: Callable[[ProcessIdentity], bool]
) -> Survivors:
    """Decide what of ``record`` can be taken over in the boot ``boot_id``."""
    if record.boot_id != boot_id:
        return Survivors(edge=None, replicas=(), rest=(), rebooted=True)
    living = tuple(replica for replica in record.replicas if alive(replica.identity))
    edge = record.edge if record.edge is not None and alive(record.edge) else None
    everyone = [replica.identity for replica in record.replicas]
    if record.edge is not None:
        everyone.append(record.edge)
    kept = {edge, *(replica.identity for replica in living)}
    rest = tuple(identity for identity in everyone if identity not in kept)
    return Survivors(edge=edge, replicas=living, rest=rest, rebooted=False)


def load(path: Path) -> Loaded:
    """Read the state. What cannot be read is moved aside to ``<path>.unreadable`` and reported."""
    try:
        return Loaded(record=understand(read_object(path, bytes_max=STATE_BYTES_MAX)))
    except FileNotFoundError:
        return Loaded(record=None)
    except OSError as error:
        return Loaded(record=None, trouble=_move_aside(path, os.strerror(error.errno or 0)))
    except WireInvalid as error:
        return Loaded(record=None, trouble=_move_aside(path, str(error)))


def understand(document: dict[str, object]) -> Record:
    """Return the record in a JSON object.

    Raises:
        WireInvalid: It was not written by us, or by a newer Mainstay.
    """
    written = document.get("format")
    if type(written) is not int or written < 1:
        raise WireInvalid("it was not written by Mainstay")
    if written > FORMAT:
        raise WireInvalid(f"its format {written} is a newer Mainstay's; this one knows {FORMAT}")
    return from_wire(Record, {name: document[name] for name in document if name != "format"})


def dump(record: Record) -> bytes:
    """Return ``record`` as ``load`` reads it."""
    return json.dumps({"format": FORMAT, **to_wire(record)}, indent=1).encode() + b"\n"


def open_private(path: Path) -> IO[bytes]:
    """Open a new file for writing that only its owner can read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)


def save(path: Path, record: Record, *, opener: Callable[[Path], IO[bytes]] = open_private) -> None:
    """Replace the state by ``record``; whenever the daemon dies, one of both is there, whole.

    Nothing is forced onto the disk: that would hold up the daemon, and what a power cut could take
    would be of no use after it, since the processes are gone as well.

    Raises:
        StateNotSaved: A full disk, a missing folder, or no right to write there.
    """
    replace_file(path, dump(record), opener=opener)


def replace_file(
    path: Path, content: bytes, *, opener: Callable[[Path], IO[bytes]] = open_private
) -> None:
    """Replace a file, which only its owner can read, whole or not at all.

    Raises:
        StateNotSaved: A full disk, a missing folder, or no right to write there.
    """
    temporary = path.with_name(f"{path.name}.new")
    rest = content
    try:
        with opener(temporary) as file:
            while rest:
                rest = rest[file.write(rest) :]
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        why = os.strerror(error.errno or 0)
        raise StateNotSaved(f"the state cannot be written to {path}: {why}") from error


def _move_aside(path: Path, why: str) -> str:
    aside = path.with_name(f"{path.name}.unreadable")
    try:
        path.replace(aside)
    except OSError as error:
        where = f"and cannot be moved aside: {os.strerror(error.errno or 0)}"
    else:
        where = f"and was moved to {aside.name}"
    return f"{path} cannot be read: {why}; it is not used, {where}"
