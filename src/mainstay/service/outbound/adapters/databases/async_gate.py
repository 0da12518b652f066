"""The calls of an asynchronous engine through its policies. ``sync_gate`` is the twin.

What differs beside ``await``: the task is interrupted when the time is up, where a thread is not.
"""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mainstay.core.errors import DeadlineExceeded, MainstayError
from mainstay.service.outbound.adapters.databases.gate import Gate, time_is_up
from mainstay.service.outbound.adapters.databases.witness import Witness, witnessed
from mainstay.service.outbound.adapters.outcome import Answered, opened
from mainstay.service.outbound.adapters.place import Place

R = TypeVar("R")


class AsyncGate(Gate):
    """Makes the calls of an asynchronous engine."""

    __slots__ = ()

    async def checkout(
        self, connect: Callable[[], Awaitable[R]], keep: Callable[[R, Place], None]
    ) -> R:
        """Return a connection out of the pool; see ``SyncGate.checkout``."""
        self.give_back_lost()

        async def through() -> R | Answered:
            with witnessed(self.policy.plan) as witness:
                return await self.getting.acall(self._connect, connect, keep, witness)

        return await self._told(through)

    async def run(self, work: Callable[[], Awaitable[R]], statement: str = "COMMIT") -> R:
        """Run one statement, or the end of a transaction; see ``SyncGate.run``."""

        async def attempt() -> R | Answered:
            began_s, within_s = self.policy.plan.now(), self.bounds.statement_s
            with self.telling(statement) as told:
                try:
                    async with self.region(within_s):
                        return await work()
                except DeadlineExceeded as error:
                    raise self.cut_off(within_s, began_s, begun=True) from error
                except self.driver.errors as error:
                    failure = self.failed_to_run(error, began_s)
                    if isinstance(failure, Answered):
                        told.error = type(error).__name__
                        return failure
                    raise failure from error

        return await self._told(lambda: self.running.acall(attempt))

    async def _connect(
        self,
        connect: Callable[[], Awaitable[R]],
        keep: Callable[[R, Place], None],
        witness: Witness,
    ) -> R | Answered:
        """Take a connection out, and a place for it: one attempt."""
        began_s, within_s = self.policy.plan.now(), self.bounds.connect_s
        try:
            async with self.region(within_s):
                made = await connect()
        except CancelledError:
            if time_is_up():
                # The policy's own bound: what it means is said further out, where no witness is.
                witness.failed(self.cut_off(within_s, began_s, begun=False), began_s)
            raise
        except DeadlineExceeded as error:
            cut = self.cut_off(within_s, began_s, begun=False)
            witness.failed(cut, began_s)
            raise cut from error
        except self.driver.errors as error:
            failure = self.failed_to_connect(error, began_s)
            if isinstance(failure, Answered):
                return failure
            witness.failed(failure, began_s)
            raise failure from error
        keep(made, self.place())
        return made

    async def _told(self, through: Callable[[], Awaitable[R | Answered]]) -> R:
        try:
            result: R = opened(await through())
        except MainstayError as error:
            raise self.theirs(error) from error.__cause__
        return result
