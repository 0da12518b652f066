"""One SQLite file that several replicas write.

Write-ahead logging lets readers and one writer work at once; a second writer waits for its turn,
at most ``BUSY_TIMEOUT_S``. Every commit is on the disk before it returns, since what is kept here
is money.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT_S = 1.5
"""Below the deadline of every service that writes, so that the caller still gets an answer."""


def data_folder() -> Path:
    """Return the folder for what the shop must not forget: $SHOP_DATA, or ``data`` beside this."""
    return Path(os.environ.get("SHOP_DATA") or Path(__file__).with_name("data"))


class Database:
    """A database that is opened and closed with the app; threads take turns.

    Args:
        path: The file; its folder is made if need be. Both are for their owner only.
        schema: SQL that may run again and again (``CREATE TABLE IF NOT EXISTS``).
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, making it where there is none. Raises sqlite3.Error or OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives up at once where two processes turn on write-ahead logging in the same
        # moment, as replicas do that start together. So they open one after the other.
        lock_path = self._path.with_suffix(".lock")
        for path in (lock_path, self._path):
            path.touch(mode=0o600)
        with lock_path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(self._schema)

    def close(self) -> None:
        """Close the file; what was committed stays."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the one writer's place: commit at the end, or undo all of it on an error.

        Raises:
            sqlite3.OperationalError: Another process kept the place for too long, or the disk
                is full.
        """
        with self._turn:
            connection = self._open_connection()
            # IMMEDIATE, because a transaction that reads first and writes later can't wait for
            # its turn: SQLite would have to refuse it.
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read without keeping writers of other processes waiting."""
        with self._turn:
            yield self._open_connection()

    def check(self) -> None:
        """Raise sqlite3.Error where the file can't be read: what a health check asks."""
        with self.reading() as connection:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the database is not open")
        return self._connection
