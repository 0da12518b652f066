"""The calls of a synchronous engine through its policies. ``async_gate`` is the twin."""

from collections.abc import Callable
from typing import TypeVar

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.databases.gate import Gate
from mainstay.service.outbound.adapters.databases.witness import Witness, witnessed
from mainstay.service.outbound.adapters.outcome import Answered, opened
from mainstay.service.outbound.adapters.place import Place

R = TypeVar("R")


class SyncGate(Gate):
    """Makes the calls of a synchronous engine."""

    __slots__ = ()

    def checkout(self, connect: Callable[[], R], keep: Callable[[R, Place], None]) -> R:
        """Return a connection out of the pool. Nothing was asked yet, so it may be tried again.

        Args:
            connect: Takes it out.
            keep: Takes the place in the bulkhead that the connection holds until it is back.

        Raises:
            CallRejected: A part of the policy rejected it.
            DeadlineExceeded: There was none by the deadline.
            AttemptTimedOut: There was none within ``connect``.
            ConnectFailed: None could be opened.
            NotServed: The database lets nobody in now.
        """
        self.give_back_lost()

        def through() -> R | Answered:
            with witnessed(self.policy.plan) as witness:
                return self.getting.call(self._connect, connect, keep, witness)

        return self._told(through)

    def run(self, work: Callable[[], R], statement: str = "COMMIT") -> R:
        """Run one statement, or the end of a transaction, on a connection. It is tried once.

        Args:
            work: Runs it.
            statement: For who is told of it.

        Raises:
            CircuitOpen: The database fails.
            DeadlineExceeded: It was not done by its deadline.
            AttemptTimedOut: It took too long.
            ConnectionLost: The connection broke; the transaction was undone, unless it was just
                being committed: then nobody knows.
            NotServed: The database can't do it now.
            Exception: The driver's own error, for what the database answered.
        """

        def attempt() -> R | Answered:
            began_s = self.policy.plan.now()
            with self.telling(statement) as told:
                try:
                    with self.region(self.bounds.statement_s):
                        return work()
                except self.driver.errors as error:
                    failure = self.failed_to_run(error, began_s)
                    if isinstance(failure, Answered):
                        told.error = type(error).__name__
                        return failure
                    raise failure from error

        return self._told(lambda: self.running.call(attempt))

    def _connect(
        self, connect: Callable[[], R], keep: Callable[[R, Place], None], witness: Witness
    ) -> R | Answered:
        """Take a connection out, and a place for it: one attempt."""
        began_s = self.policy.plan.now()
        try:
            with self.region(self.bounds.connect_s):
                made = connect()
        except self.driver.errors as error:
            failure = self.failed_to_connect(error, began_s)
            if isinstance(failure, Answered):
                return failure
            witness.failed(failure, began_s)
            raise failure from error
        keep(made, self.place())
        return made

    def _told(self, through: Callable[[], R | Answered]) -> R:
        try:
            result: R = opened(through())
        except MainstayError as error:
            raise self.theirs(error) from error.__cause__
        return result
