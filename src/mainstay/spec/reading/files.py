"""Reads small regular files, bounded, without ever waiting for one."""

import os
import stat
from pathlib import Path


class Unreadable(Exception):
    """A file can't be read; the message says why and holds nothing of the file."""


def read_bounded(path: Path, *, maximum: int) -> bytes:
    """Return the bytes of a regular file, at most ``maximum`` and one more.

    One more byte than ``maximum`` means that the file is larger.

    Raises:
        Unreadable: It is missing, forbidden, a folder, a pipe, a device or not a path at all.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody to write.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Unreadable((error.strerror or "it can't be opened").lower()) from error
    except ValueError as error:
        raise Unreadable("it is not a path") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Unreadable("it is not a regular file")
        return _read(handle, maximum + 1)
    except OSError as error:
        raise Unreadable((error.strerror or "it can't be read").lower()) from error
    finally:
        os.close(handle)


def _read(handle: int, maximum: int) -> bytes:
    """Return up to ``maximum`` bytes: a network file system may give them in pieces."""
    pieces: list[bytes] = []
    left = maximum
    while left > 0 and (piece := os.read(handle, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False where nobody can say."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether a path is a regular file; False where nobody can say."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_missing(path: Path) -> bool:
    """Return whether nothing is there, not even a link; False where nobody can say."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False
