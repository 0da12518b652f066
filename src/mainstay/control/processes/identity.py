"""Which process is ours: a pid *and* when it began, since pids are used again."""

import os
from dataclasses import dataclass

import psutil

from mainstay.control.processes.shim import family

TOLERANCE_S = 0.02 if family.LINUX else 2.0
"""Two readings of one start differ by less. Linux counts ticks of 10 ms since boot; elsewhere it is
wall time, and the shim's own reading is taken just after the fork."""


_PID_OVER = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One child and its shim, in a form that outlives the daemon.

    Attributes:
        name: The replica, such as ``catalog-1``.
        pid: The child: the app itself. It leads its process group.
        started_s: When the child began, as ``started_s`` gives it.
        shim_pid: The shim. It leads the session that the child is in.
        shim_started_s: When the shim began.
        log_path: The child's present log file.
        end_path: The record of its life.
    """

    name: str
    pid: int
    started_s: float
    shim_pid: int
    shim_started_s: float
    log_path: str
    end_path: str

    def __post_init__(self) -> None:
        # 0, -1 and 1 mean "my group", "everyone" and init to kill(2): a forged record must never
        # get there.
        for pid in (self.pid, self.shim_pid):
            if not 1 < pid < _PID_OVER:
                raise ValueError(f"{pid} cannot be a process of ours")


def boot_id() -> str:
    """Return what names this boot of the machine, and no other one."""
    return family.boot_id() or f"booted-at-{round(psutil.boot_time())}"


def started_s(pid: int) -> float | None:
    """Return when ``pid`` began; None if it is gone, a zombie, or not ours to see.

    On Linux seconds since boot, which do not move when the clock is set; elsewhere seconds since
    1970. For comparing within one boot, never for people.
    """
    if family.LINUX:
        return family.started_s(pid)
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.create_time()
    except psutil.Error:
        return None


def lives(pid: int, since_s: float) -> bool:
    """Return whether the process ``pid`` that began at ``since_s`` is alive."""
    now_s = started_s(pid)
    return now_s is not None and abs(now_s - since_s) <= TOLERANCE_S


def alive(identity: ProcessIdentity) -> bool:
    """Return whether child and shim are both alive, so that the process can be adopted."""
    return lives(identity.pid, identity.started_s) and lives(
        identity.shim_pid, identity.shim_started_s
    )


def remains(identity: ProcessIdentity) -> tuple[int, ...]:
    """Return the living processes of this child's session, the shim first if it is among them.

    A number stays taken while a session carries it. So if another process has the shim's pid by
    now, nothing of ours is left; and who is in a session of that number but older is not ours.
    """
    shim_since_s = started_s(identity.shim_pid)
    shim_lives = lives(identity.shim_pid, identity.shim_started_s)
    if (shim_since_s is not None and not shim_lives) or identity.shim_pid == os.getsid(0):
        return ()
    members = [identity.shim_pid] if shim_lives else []
    for pid in psutil.pids():
        if pid != identity.shim_pid and _session(pid) == identity.shim_pid:
            began_s = started_s(pid)
            if began_s is not None and began_s >= identity.shim_started_s - TOLERANCE_S:
                members.append(pid)
    return tuple(members)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1
