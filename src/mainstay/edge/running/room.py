"""Files that can be replaced although the disk is full: each has its next room already.

Beside the file lies a draft that takes up space for the next content and some more. It is written
in place, which needs no new space, and renamed over the file; the file that was there becomes the
next draft. What is not used of the room is spaces at the end, which mean nothing in JSON.
"""

import contextlib
import os
import stat
from pathlib import Path

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.files import PRIVATE_MODE

ROOM_BYTES = 16 * 1024
"""Rooms are multiples of this: enough for a hundred replicas more than there are."""


def room_bytes(length: int) -> int:
    """Return the size of a file for a content of ``length`` bytes: at least half as much again."""
    return -(-(length + length // 2) // ROOM_BYTES) * ROOM_BYTES


def write_in_room(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` with an atomic rename, which is also what Envoy watches for.

    On a full disk it works as long as the text fits into the room that the draft has. A file
    system that writes every change to new space (btrfs, ZFS, APFS) can refuse even so.

    Raises:
        EdgeUnavailable: It could not be written; what was there is as it was.
    """
    draft, last = path.with_name(f".{path.name}.draft"), path.with_name(f".{path.name}.last")
    content = text.encode()
    try:
        if not draft.exists() and last.exists():
            # Whoever wrote last died before the end.
            last.replace(draft)
        _fill(draft, content, room_bytes(len(content)))
        _exchange(draft, path, last)
    except OSError as error:
        raise EdgeUnavailable(f"cannot write {path}: {error.strerror}") from error


def _exchange(draft: Path, path: Path, last: Path) -> None:
    """Put the draft in the place of the file, and the file in the place of the draft."""
    last.unlink(missing_ok=True)
    # There may be no file yet, or no second names on this file system.
    with contextlib.suppress(OSError):
        os.link(path, last, follow_symlinks=False)
    draft.replace(path)
    # From here the file is replaced, and it is no failure that the next room is not there.
    with contextlib.suppress(OSError):
        if last.exists():
            last.replace(draft)
        else:
            _fill(draft, b"", path.stat().st_size)


def _fill(draft: Path, content: bytes, room: int) -> None:
    """Make the draft ``room`` bytes long, beginning with ``content``; less if there is no space."""
    handle = _open(draft)
    try:
        held = os.fstat(handle).st_size
        try:
            _write(handle, content, room)
        except OSError:
            # What was there stays ours, and the rest is not needed now.
            os.ftruncate(handle, held)
            _write(handle, content, max(held, len(content)))
    finally:
        os.close(handle)


def _write(handle: int, content: bytes, size: int) -> None:
    whole = memoryview(content.ljust(size))
    at = 0
    while at < len(whole):
        at += os.pwrite(handle, whole[at:], at)
    os.ftruncate(handle, size)


def _open(draft: Path) -> int:
    """Return the draft opened, with the room that it has, or a new one."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        handle = os.open(draft, flags)
        found = os.fstat(handle)
        if found.st_nlink == 1 and found.st_mode == stat.S_IFREG | PRIVATE_MODE:
            return handle
        os.close(handle)
    # A link, or the file itself by its second name: what is written there would be seen.
    draft.unlink(missing_ok=True)
    return os.open(draft, flags | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
