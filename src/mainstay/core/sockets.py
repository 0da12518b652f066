"""Where a Unix socket may be: its path has at most 107 bytes on Linux, 103 on macOS."""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

PATH_BYTES_MAX = 103
"""The lesser of the two systems' bounds, less the closing zero byte."""

PRIVATE_FOLDER_MODE = 0o700

# Not $TMPDIR and not $XDG_RUNTIME_DIR: a login, a cron job and a service manager set them
# differently, and all of them must find the same socket. Linux and macOS have this folder.
SHORT_ROOT = Path("/tmp")  # noqa: S108  Each folder that is made in it is private, and looked at.


class SocketFolderUnsafe(OSError):
    """The folder for a socket exists and is somebody else's, or open to others, or no folder."""


def find_socket(folder: Path, name: str) -> Path:
    """Return where the socket ``name`` of ``folder`` is: there, if the path is short enough.

    Else it is in a private folder below ``SHORT_ROOT`` whose name is derived from ``folder`` and
    the user, so that every process finds the same. Nothing is made.

    Args:
        folder: Absolute; where the socket belongs.
        name: File name of the socket, at most 32 bytes.

    Raises:
        SocketFolderUnsafe: The derived folder can't be trusted; its path is in the message.
    """
    own = folder / name
    if len(os.fsencode(own)) <= PATH_BYTES_MAX:
        return own
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = SHORT_ROOT / f"{_prefix()}{digest}"
    with contextlib.suppress(FileNotFoundError):
        _trust(short)
    return short / name


def make_room(path: Path) -> None:
    """Make the short folder of a socket that ``find_socket`` found, where it needs one.

    Raises:
        SocketFolderUnsafe: The folder can't be trusted.
        OSError: It can't be made.
    """
    if _is_short(path.parent):
        path.parent.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
        _trust(path.parent)


def clear_room(path: Path) -> None:
    """Remove a socket and, where one was made for it, its short folder.

    That it is already gone, or that the folder holds other sockets, is no error.
    """
    path.unlink(missing_ok=True)
    if _is_short(path.parent):
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def short_socket_path(folder: Path, name: str) -> Path:
    """Return what ``find_socket`` does, with room made for the socket.

    Raises:
        SocketFolderUnsafe: The derived folder can't be trusted; its path is in the message.
        OSError: The derived folder can't be made.
    """
    path = find_socket(folder, name)
    make_room(path)
    return path


def remove_socket(folder: Path, name: str) -> None:
    """Clear the room of the socket ``name`` of ``folder``; see ``find_socket`` and ``clear_room``.

    Raises:
        SocketFolderUnsafe: The derived folder can't be trusted; nothing is removed.
    """
    clear_room(find_socket(folder, name))


def _prefix() -> str:
    return f"mainstay-{os.getuid()}-"


def _is_short(folder: Path) -> bool:
    return folder.parent == SHORT_ROOT and folder.name.startswith(_prefix())


def _trust(folder: Path) -> None:
    # The temporary folder is everybody's: somebody may have put a link or a folder there before.
    found = folder.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.getuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise SocketFolderUnsafe(f"{folder} is not a private folder of this user: remove it")
