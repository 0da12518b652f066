"""SQLite's connection with a bound on each statement: work, and the wait for another's lock."""

import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar

from mainstay.core.deadline import detach, remaining_s

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.sync_gate import SyncGate

_STEPS = 5_000
"""After so many steps of its machine, some tens of microseconds, SQLite asks whether to go on."""

_SLACK_S = 0.05


class BoundedConnection(sqlite3.Connection):
    """A connection that stops when the time of what runs now is up.

    Attributes:
        gate: The engine's, through which transactions end.
    """

    gate: "ClassVar[SyncGate]"

    def __init__(self, *args: Any, **options: Any) -> None:
        # Any: sqlite3's own.
        super().__init__(*args, **options)
        self._lock_wait_ms = -1
        self.set_progress_handler(_time_is_up, _STEPS)

    def bound_lock_wait(self) -> None:
        """Let the next statement wait for another's lock no longer than it may take.

        SQLite does not ask while it waits for a lock, so it is told before.
        """
        longest_s, left_s = self.gate.bounds.statement_s, remaining_s()
        # Set anew only where a deadline is near: else it costs a statement each time.
        wait_s = longest_s if left_s is None or left_s > longest_s - _SLACK_S else left_s
        wait_ms = int(wait_s * 1000)
        if wait_ms != self._lock_wait_ms:
            self._lock_wait_ms = wait_ms
            self.execute(f"PRAGMA busy_timeout = {wait_ms}")

    def commit(self) -> None:
        """Commit, as a call of the policy."""
        self.gate.run(self._commit)

    def rollback(self) -> None:
        """Roll back, even when the deadline has passed."""
        with detach():
            super().rollback()

    def _commit(self) -> None:
        if self.in_transaction:
            self.bound_lock_wait()
        super().commit()


def timely(cursor: Any) -> Any:
    """Return the cursor, whose next statement waits for no lock beyond its time.

    Any: SQLAlchemy's kind of a cursor, whose connection is one of ours.
    """
    cursor.connection.bound_lock_wait()
    return cursor


def _time_is_up() -> bool:
    return remaining_s() == 0
