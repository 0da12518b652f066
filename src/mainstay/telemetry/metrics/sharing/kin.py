"""Which processes are one replica: workers of one server, and what a process has forked.

A process that nobody forked or spawned as a worker, such as each replica of ``mainstay up``, is
alone, and shares nothing until it forks.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER_VARIABLE = "MAINSTAY_METRICS_DIR"

_PROC = Path("/proc")
_FORKED_WITHOUT_EXEC = 0x40
"""``PF_FORKNOEXEC`` of the flags in ``/proc/<pid>/stat``. Source: Linux, include/linux/sched.h."""

_STAT_PARENT, _STAT_FLAGS, _STAT_STARTED = 1, 6, 19
_UNKNOWN = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """Whom this process counts with.

    Attributes:
        head: Pid of the process that all of them come from: this one's own where it is alone.
        started: When that began, by the kernel's clock, as text; ``0`` where nobody can tell.
        is_worker: Whether this is one of several.
    """

    head: int
    started: str
    is_worker: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What the kernel tells of a process.

    Attributes:
        parent: Pid.
        forked: Whether it was forked and runs the program of its parent.
        started: When, in ticks of the kernel, as text.
    """

    parent: int
    forked: bool
    started: str


def read_stat(text: str) -> Stat | None:
    """Return what ``/proc/<pid>/stat`` says, or None where it is no such text."""
    # The name of the program may hold anything; nothing behind it holds a parenthesis.
    fields = text.rpartition(")")[2].split()
    if len(fields) <= _STAT_STARTED:
        return None
    try:
        forked = bool(int(fields[_STAT_FLAGS]) & _FORKED_WITHOUT_EXEC)
        return Stat(parent=int(fields[_STAT_PARENT]), forked=forked, started=fields[_STAT_STARTED])
    except ValueError:
        return None


def find_kin(proc: Path = _PROC) -> Kin:
    """Return whom this process counts with. Nothing but Linux tells about forks without exec.

    Args:
        proc: Where the kernel tells about processes.
    """
    own = _stat(proc, "self")
    spawned_by = find_spawner()
    if spawned_by is not None:
        head = spawned_by
    elif own is not None and own.forked and _same_program(proc, own.parent):
        head = own.parent
    else:
        return Kin(head=os.getpid(), started=_UNKNOWN if own is None else own.started,
                   is_worker=False)  # fmt: skip
    found = _stat(proc, str(head))
    return Kin(head=head, started=_UNKNOWN if found is None else found.started, is_worker=True)


def is_running(head: int, started: str, proc: Path = _PROC) -> bool:
    """Return whether a process with this pid runs that began at that time, where that is known."""
    found = _stat(proc, str(head))
    if found is not None:
        return started in {found.started, _UNKNOWN}
    try:
        os.kill(head, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def shared_root() -> Path:
    """Return where the folders of this user's replicas are, where nobody named one."""
    return Path(tempfile.gettempdir()) / f"mainstay-metrics-{os.geteuid()}"


def folder_of(service: str, kin: Kin, environ: Mapping[str, str]) -> Path:
    """Return the folder in which the processes of one replica tell each other what they counted.

    Args:
        service: Its name; two services may have the same head.
        kin: Whom this process counts with.
        environ: May name a folder, in which each service has one of its own.
    """
    named = environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named) / service
    return shared_root() / f"{service}-{kin.head}-{kin.started}"


def _stat(proc: Path, name: str) -> Stat | None:
    try:
        return read_stat((proc / name / "stat").read_text("utf-8", "replace"))
    except OSError:
        return None


def _same_program(proc: Path, parent: int) -> bool:
    """Return whether the parent runs the same program; in a container it may well be pid 1."""
    try:
        return (proc / "self" / "exe").readlink() == (proc / str(parent) / "exe").readlink()
    except OSError:
        return False


def find_spawner() -> int | None:
    """Return who spawned this process by ``multiprocessing``, as uvicorn does with its workers.

    None: nobody did.
    """
    # Loaded in every process that was spawned so.
    process = sys.modules.get("multiprocessing.process")
    parent = None if process is None else process.parent_process()
    return None if parent is None else parent.pid
