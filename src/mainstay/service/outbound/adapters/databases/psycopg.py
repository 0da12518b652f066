"""psycopg's connection with a bound on each wait. The bound is the deadline of what runs now."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

import psycopg
from psycopg import errors

from mainstay.core.deadline import DeadlineRegion, detach, remaining_s

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.sync_gate import SyncGate

LOOK_S = 0.1
"""So often psycopg looks up from waiting, at least."""

CANCEL_S = 0.25
"""So long the server has to say that it stopped; after that the connection is given up."""

TIDY_S = 1.0
"""So long tidying up has, even when no time is left: it saves the connection."""


class StatementCut(errors.QueryCanceled):
    """The time of a statement, or of opening a connection, was up."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that asks the server to stop when the time of a statement is up.

    The server stops what it does, and the connection can be used again; where the server does not
    answer either, the connection is closed.

    Attributes:
        gate: The engine's, through which transactions end.
    """

    gate: "ClassVar[SyncGate]"

    @classmethod
    def _connect_gen(cls, *args: Any, **options: Any) -> Generator[Any, Any, Self]:
        # psycopg's own bound is in whole seconds and at least two. Any: psycopg's own.
        return _cut(super()._connect_gen(*args, **options))

    def wait(self, gen: Any, interval: float = LOOK_S, timeout: float | None = None) -> Any:
        """Wait for the server. Any: psycopg's own.

        Raises:
            StatementCut: The time was up.
        """
        left_s = remaining_s()
        # Older versions know no timeout; it is only handed on where psycopg gives one.
        options = {} if timeout is None else {"timeout": timeout}
        if left_s is None:
            return super().wait(gen, interval, **options)
        if left_s == 0:
            # No statement begins with no time left: this tidies up after one that was cut off.
            with self._tidying():
                return super().wait(_cut(gen), min(interval, TIDY_S), **options)
        try:
            return super().wait(_cut(gen), max(0.001, min(interval, left_s)), **options)
        except StatementCut:
            self._stop(gen)
            raise

    def commit(self) -> None:
        """Commit, as a call of the policy."""
        self.gate.run(super().commit)

    def rollback(self) -> None:
        """Roll back, even when the deadline has passed."""
        with self._tidying():
            super().rollback()

    @contextmanager
    def _tidying(self) -> Iterator[None]:
        with detach(), DeadlineRegion(TIDY_S, self.gate.policy.plan.clock):
            yield

    def _stop(self, gen: Any) -> None:
        with detach(), DeadlineRegion(CANCEL_S, self.gate.policy.plan.clock):
            try:
                self.cancel_safe(timeout=CANCEL_S)
                super().wait(_cut(gen), 0.01)
            except StatementCut:
                self.close()
            except psycopg.Error as error:
                if not isinstance(error, errors.QueryCanceled):
                    self.close()


def tell_timeout(options: dict[str, Any], statement_s: float) -> None:
    """Add to the options of a new connection that the server ends statements after so long.

    Any: options are the driver's.
    """
    said = options.get("options", "")
    options["options"] = f"{said} -c statement_timeout={int(statement_s * 1000)}".strip()


def _cut(waits: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Pass on what ``waits`` waits for, until the time is up.

    It is looked at whenever the wait looks up, whether or not anything has come. The generator is
    left as it is, so that it can be waited for again.
    """
    try:
        wanted = next(waits)
        while True:
            ready = yield wanted
            if remaining_s() == 0:
                raise StatementCut("the time was up")
            wanted = waits.send(ready)
    except StopIteration as done:
        return done.value
