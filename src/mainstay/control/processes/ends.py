"""How processes ended: the records that shims write, read strictly and within bounds."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from mainstay.control.processes.identity import ProcessIdentity, boot_id
from mainstay.control.processes.wire import WireInvalid, from_wire, read_object
from mainstay.spec.kinds.units import size_text

RECORD_BYTES_MAX = 256 * 1024
"""The longest record that a shim writes is a quarter of it."""

RECORDS_MAX = 4096
"""Records that one look into the folder reads."""

REASONS = (
    "exited", "signal", "memory", "left_behind", "spawn_failed", "unknown",
)  # fmt: skip
_RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one child ended.

    Attributes:
        reason: One of ``REASONS``. ``left_behind``: it ended, and others that it had started lived
            on and were ended. ``memory``: it was killed for its memory. ``unknown``: its shim was
            killed, or the record is missing or garbage; ``detail`` says which.
        pid: The child; 0 if none was started.
        exit_code: Its exit code; None if a signal ended it, or nobody knows.
        signal: The signal that ended it; None if it exited, or nobody knows.
        detail: More in words; empty where there is no more to say.
        lived_s: How long it lived, in seconds.
        ended_at_s: Wall time of its end, in seconds since 1970; 0 if nobody knows.
        memory_bytes: What it used when it was killed for that.
        dropped_log_bytes: Output that could not be written to its log.
        tail: The last lines of its output, at most 20 of at most 400 characters.
    """

    reason: str
    pid: int = 0
    started_s: float = 0.0
    shim_pid: int = 0
    shim_started_s: float = 0.0
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""
    lived_s: float = 0.0
    ended_at_s: float = 0.0
    memory_bytes: int | None = None
    dropped_log_bytes: int = 0
    tail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason[:40]!r} is no reason for an end")

    @property
    def sentence(self) -> str:
        """Say it for people, without a full stop: ``exited with code 3 after 1.2 s``."""
        if self.reason == "spawn_failed":
            return self.detail
        if self.reason == "memory":
            used = size_text((self.memory_bytes or 0) // 2**20 * 2**20)
            return f"was killed for its memory ({used}) after {self.lived_s:.1f} s"
        if self.reason == "unknown":
            code = "" if self.exit_code is None else f" (its shim gave code {self.exit_code})"
            return f"ended, and nobody knows how{code}: {self.detail}"
        if self.signal is not None:
            how = f"was ended by {_signal_name(self.signal)}"
        else:
            how = f"exited with code {self.exit_code}"
        if self.reason == "left_behind":
            return f"{how} after {self.lived_s:.1f} s and left processes behind, which were ended"
        return f"{how} after {self.lived_s:.1f} s"


def unknown_end(identity: ProcessIdentity, detail: str, *, exit_code: int | None = None) -> End:
    """Return the end of a process of which only ``detail`` is known."""
    return End(
        reason="unknown",
        pid=identity.pid,
        started_s=identity.started_s,
        shim_pid=identity.shim_pid,
        shim_started_s=identity.shim_started_s,
        exit_code=exit_code,
        detail=detail,
    )


def read_end(identity: ProcessIdentity) -> End:
    """Return how this very process ended; ``unknown`` if its record does not say. Never raises."""
    try:
        document = read_object(Path(identity.end_path), bytes_max=RECORD_BYTES_MAX)
        if document.get("reason") == _RUNNING:
            return unknown_end(identity, "its shim was killed")
        end = from_wire(End, document)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        return unknown_end(identity, f"the record of its end cannot be read: {why}")
    except WireInvalid as error:
        return unknown_end(identity, f"the record of its end is damaged: {error}")
    if (end.pid, end.shim_pid) != (identity.pid, identity.shim_pid):
        return unknown_end(identity, "the record of its end is another process's")
    return end


def running(ends: Path, *, logs: Path) -> tuple[ProcessIdentity, ...]:
    """Return every process that the records in ``ends`` call running, whether it still is or not.

    Those of an earlier boot are not: their numbers belong to others by now.

    With this a daemon that has lost its state, or that died between starting a process and writing
    that down, finds what it started. Records that are damaged are passed over.

    Args:
        ends: The folder of the records.
        logs: The folder of the logs, where ``<name>.log`` is the log of ``<name>.json``.
    """
    try:
        with os.scandir(ends) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".json"))
    except OSError:
        return ()
    # A shim that finds no /proc cannot name its boot; then the times of the start decide.
    boots = {boot_id(), ""}
    found = []
    for file_name in names[:RECORDS_MAX]:
        name = file_name.removesuffix(".json")
        try:
            document = read_object(ends / file_name, bytes_max=RECORD_BYTES_MAX)
            began_in = document.pop("boot_id", None)
            if document.pop("reason", None) != _RUNNING or began_in not in boots:
                continue
            paths = {"log_path": str(logs / f"{name}.log"), "end_path": str(ends / file_name)}
            found.append(from_wire(ProcessIdentity, {**document, **paths, "name": name}))
        except (OSError, WireInvalid):
            continue
    return tuple(found)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
