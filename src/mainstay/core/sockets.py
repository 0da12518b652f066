"""Where a Unix socket may be: its path has at most 107 bytes on Linux, 103 on macOS."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

PATH_BYTES_MAX = 103
"""The lesser of the two systems' bounds, less the closing zero byte."""

PRIVATE_FOLDER_MODE = 0o700


class SocketFolderUnsafe(OSError):
    """The folder for a socket exists and is somebody else's, or open to others, or no folder."""


def short_socket_path(folder: Path, name: str) -> Path:
    """Return where the socket ``name`` of ``folder`` is: there, if the path is short enough.

    Else it is in a folder of our own below the system's temporary one, derived from ``folder``
    and the user, so that every process finds the same; the folder is made where it is missing.

    Args:
        folder: Absolute; where the socket belongs.
        name: File name of the socket, at most 32 bytes.

    Raises:
        SocketFolderUnsafe: The derived folder can't be trusted; its path is in the message.
        OSError: The derived folder can't be made.
    """
    own = folder / name
    if len(os.fsencode(own)) <= PATH_BYTES_MAX:
        return own
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"mainstay-{os.getuid()}-{digest}"
    short.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    _trust(short)
    return short / name


def _trust(folder: Path) -> None:
    # The temporary folder is everybody's: somebody may have put a link or a folder there before.
    found = folder.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.getuid()
        or stat.S_IMODE(found.st_mode) & 0o077
    ):
        raise SocketFolderUnsafe(f"{folder} is not a private folder of this user: remove it")


def remove_socket(folder: Path, name: str) -> None:
    """Remove the socket ``name`` of ``folder`` and, where it was made for it, the short folder.

    That it is already gone, or that the folder holds other sockets, is no error.
    """
    path = short_socket_path(folder, name)
    path.unlink(missing_ok=True)
    if path.parent != folder:
        with contextlib.suppress(OSError):
            path.parent.rmdir()
