"""The log files of a replica, as they lie on the disk: the present one, and ``.1`` to ``.3``."""

import os
from pathlib import Path

from mainstay.control.processes.shim.boundedlog import OLDER_FILES
from mainstay.control.processes.shim.liferecord import LINES_MAX
from mainstay.control.processes.shim.liferecord import last_lines as lines_of

TAIL_BYTES_MAX = 2**20
"""So much of the end of a log is read at most."""


def log_files(log_path: Path) -> tuple[Path, ...]:
    """Return the files that exist of one replica's log, the oldest first."""
    older = [log_path.with_name(f"{log_path.name}.{age}") for age in range(OLDER_FILES, 0, -1)]
    return tuple(path for path in (*older, log_path) if path.is_file())


def last_bytes(log_path: Path, *, bytes_max: int = TAIL_BYTES_MAX) -> bytes:
    """Return the last bytes that were logged, across the files of the log."""
    tail = b""
    for path in reversed(log_files(log_path)):
        tail = _end_of(path, bytes_max - len(tail)) + tail
        if len(tail) >= bytes_max:
            break
    return tail


def last_lines(log_path: Path, *, lines_max: int = LINES_MAX) -> tuple[str, ...]:
    """Return the last lines that were logged; empty if there is no log, or it cannot be read.

    Bytes that are not UTF-8 come as replacement characters, and long lines are cut.
    """
    return tuple(lines_of(last_bytes(log_path), lines_max=lines_max))


def _end_of(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - bytes_max))
            return file.read(bytes_max)
    except OSError:
        # Deleted or rotated away in this moment.
        return b""
