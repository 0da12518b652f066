"""This replica's share of a limit, for while the store that counts for all replicas is away."""

import os
from collections.abc import Mapping
from pathlib import Path

_REPLICAS_VARIABLE = "MAINSTAY_REPLICAS"
_RUN_VARIABLE = "MAINSTAY_RUN_DIR"
_DIGITS_MAX = 6


class Share:
    """Tells the share: one divided by the number of replicas, as it is now.

    Where ``mainstay up`` runs them it says how many in a file, which follows each ``scale``; who
    runs them otherwise says so once, by ``MAINSTAY_REPLICAS``, or has as many as are declared.

    Args:
        service: Its name, which is a part of the file's.
        declared: ``run.replicas``.
        environ: ``MAINSTAY_RUN_DIR``, where the file is; ``MAINSTAY_REPLICAS``.
    """

    __slots__ = ("_file", "_replicas")

    def __init__(self, *, service: str, declared: int, environ: Mapping[str, str]) -> None:
        folder = environ.get(_RUN_VARIABLE)
        self._file = Path(folder) / f"{service}.replicas" if folder else None
        self._replicas = _number(environ.get(_REPLICAS_VARIABLE, "")) or max(1, declared)

    def __call__(self) -> float:
        """Return the share, above 0 and at most 1. A file that says nothing changes nothing."""
        if self._file is not None:
            self._replicas = _number(_read(self._file)) or self._replicas
        return 1.0 / self._replicas


def whole() -> float:
    """Return the share of a single replica."""
    return 1.0


def _read(path: Path) -> str:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opened, "rb") as file:
            return file.read(_DIGITS_MAX + 1).decode("ascii", "replace")
    except OSError:
        # Another engine, or one of an earlier version: there is none.
        return ""


def _number(text: str) -> int:
    """Return a number of replicas; 0 where it is none."""
    text = text.strip()
    is_one = text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX
    return int(text) if is_one else 0
