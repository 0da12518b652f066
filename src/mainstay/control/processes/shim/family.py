# ruff: noqa: PTH110, PTH208  pathlib would cost every shim a megabyte.
"""Processes of this machine: when one began, who descends from it, what memory they hold.

Linux is read from ``/proc``; elsewhere ``ps`` is asked. Only the standard library, since the shim
runs this; the engine uses it as well, so that both mean the same by "began".
"""

import os
import sys

LINUX = sys.platform.startswith("linux")

PROCESSES_MAX = 4096
"""So many descendants are looked at; a fork bomb must not make the look itself endless."""

_PS_BYTES_MAX = 4 * 2**20
_ROW_FIELDS = 4
_KIB = 1024


def has_proc() -> bool:
    """Return whether this kernel lists the children of a process in ``/proc``."""
    return os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def started_s(pid: int) -> float | None:
    """Return when ``pid`` began, in seconds since boot; None if it is gone, or there is no /proc.

    The kernel's own count: unlike a wall time it does not move when the clock is set, so a pid and
    this number name one process for as long as the machine is up.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    if len(fields) <= 19 or fields[0] in {b"Z", b"X"}:  # noqa: PLR2004  proc(5): (22) starttime.
        return None
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def boot_id() -> str:
    """Return what names this boot of the machine; empty where there is no /proc."""
    return _read("/proc/sys/kernel/random/boot_id").decode("ascii").strip()


def descendants(root: int) -> list[int]:
    """Return the living descendants of ``root``, itself excluded, at most ``PROCESSES_MAX``."""
    if not has_proc():
        return below(ps_rows(), root)
    found: list[int] = []
    todo = [root]
    while todo and len(found) < PROCESSES_MAX:
        children = children_of(todo.pop())
        found += children
        todo += children
    return found[:PROCESSES_MAX]


def children_of(pid: int) -> list[int]:
    """Return the children of ``pid`` that ``/proc`` names; empty if it is gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    # A child belongs to the thread that forked it.
    lists = (_read(f"/proc/{pid}/task/{task}/children").split() for task in tasks)
    return [int(child) for children in lists for child in children]


def leftovers(parent: int, group: int) -> list[int]:
    """Return what is left of a family whose head ended: children of ``parent``, members of a group.

    With a subreaper every orphan becomes a child of ``parent``; without one only the process group
    tells who belonged together.
    """
    if has_proc():
        return children_of(parent)
    return [
        pid
        for pid, ppid, pgid, _ in ps_rows()
        if pid != parent and (ppid == parent or pgid == group)
    ]


def resident_bytes(pids: list[int]) -> int:
    """Return the resident memory of ``pids``, in bytes; pages that they share count for each."""
    if not has_proc():
        wanted = set(pids)
        return sum(rss for pid, _, _, rss in ps_rows() if pid in wanted)
    pages = (_read(f"/proc/{pid}/statm").split() for pid in pids)
    return sum(int(fields[1]) for fields in pages if fields) * os.sysconf("SC_PAGE_SIZE")


def ps_rows() -> list[tuple[int, int, int, int]]:
    """Ask ``ps`` for every process: (pid, parent, group, resident bytes). Empty without ``ps``."""
    reading, writing = os.pipe()
    try:
        pid = os.posix_spawnp(
            "ps",
            ["ps", "-A", "-o", "pid=,ppid=,pgid=,rss="],
            {"PATH": os.environ.get("PATH", os.defpath)},
            file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
        )
    except OSError:
        return []
    else:
        os.close(writing)
        writing = -1
        with open(reading, "rb", closefd=False) as output:
            text = output.read(_PS_BYTES_MAX)
        os.waitpid(pid, 0)
        # It lists itself as well, and is nobody's leftover.
        return [row for row in parse_ps(text) if row[0] != pid]
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)


def parse_ps(text: bytes) -> list[tuple[int, int, int, int]]:
    """Read what ``ps`` printed; lines that are no four numbers are passed over."""
    rows = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == _ROW_FIELDS and all(field.isdigit() for field in fields):
            pid, ppid, pgid, rss_kib = map(int, fields)
            rows.append((pid, ppid, pgid, rss_kib * _KIB))
    return rows


def below(rows: list[tuple[int, int, int, int]], root: int) -> list[int]:
    """Return the descendants of ``root`` in a table of processes, itself excluded."""
    found = {root}
    for _ in range(len(rows)):
        more = {pid for pid, ppid, _, _ in rows if ppid in found and pid not in found}
        if not more:
            break
        found |= more
    return sorted(found - {root})


def become_subreaper() -> bool:
    """Make orphans of our descendants our own children; False where the system cannot."""
    return prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def die_with_parent(signal_number: int) -> bool:
    """Have the kernel send us ``signal_number`` when our parent dies; False where it cannot."""
    return prctl(1, signal_number)  # PR_SET_PDEATHSIG


def prctl(option: int, value: int) -> bool:
    """Call ``prctl(2)``; False on other systems, or when the kernel refuses."""
    if not LINUX:
        return False
    import ctypes  # noqa: PLC0415  Only Linux pays for it.

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)


def _read(path: str) -> bytes:
    """Return a small file of ``/proc``; empty if the process is gone or not ours to see."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:
        return b""
    finally:
        os.close(fd)
