"""What the pool, connections and statements of one engine share: policies, and how calls end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mainstay.core.deadline import DeadlineRegion, remaining_s
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.databases.failures import Kind, kind_of
from mainstay.service.outbound.adapters.databases.views import for_checkout, for_unit
from mainstay.service.outbound.adapters.databases.witness import Witness, witnessed
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost, also
from mainstay.service.outbound.adapters.held import bulkhead_of, within_place
from mainstay.service.outbound.adapters.outcome import Answered, NotServed, opened, timed_out
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.policy import Policy

R = TypeVar("R")

_OVER_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long one thing may take, in seconds; never longer than what is left.

    Attributes:
        connect_s: To get a connection that works: look at an idle one, or open another.
        statement_s: For one statement, or the end of a transaction.
    """

    connect_s: float
    statement_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What is known about the errors of a driver.

    Attributes:
        errors: The root of its errors.
        theirs: SQLAlchemy's kind that our errors become too.
    """

    errors: type[Exception]
    theirs: type[Exception]


class Gate:
    """The policies of one engine.

    Args:
        policy: With a bulkhead.
        bounds: Of its connections.
        driver: Whose errors they raise.

    Attributes:
        policy: As given.
        unit: The policy for a whole transaction.
        repeatable_unit: The one for a transaction that may be committed twice.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    __slots__ = (
        "_checkout", "_driver", "_lost", "_statement", "bounds", "policy", "repeatable_unit",
        "unit",
    )  # fmt: skip

    def __init__(self, policy: Policy, bounds: Bounds, driver: Driver) -> None:
        bulkhead_of(policy, "a database engine")
        self.policy = policy
        self.bounds = bounds
        self._driver = driver
        self._lost = Lost()
        # A view follows every change of the policy.
        self._checkout = policy.derived(for_checkout)
        self._statement = within_place(policy)
        self.unit = policy.once.derived(for_unit)
        self.repeatable_unit = policy.derived(for_unit)

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
        self._lost.give_back()

        def through() -> R | Answered:
            with witnessed(self.policy.plan) as witness:
                return self._checkout.call(self._connect, connect, keep, witness)

        return self._told(through)

    def run(self, work: Callable[[], R]) -> R:
        """Run one statement, or the end of a transaction, on a connection. It is tried once.

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
            try:
                with self._region(self.bounds.statement_s):
                    return work()
            except self._driver.errors as error:
                failure = self._failure(error, began_s, self.bounds.statement_s, begun=True)
                if failure is None:
                    return Answered(error)
                raise failure from error

        return self._told(lambda: self._statement.call(attempt))

    def _connect(
        self, connect: Callable[[], R], keep: Callable[[R, Place], None], witness: Witness
    ) -> R | Answered:
        """Take a connection out, and a place for it: one attempt."""
        began_s = self.policy.plan.now()
        try:
            with self._region(self.bounds.connect_s):
                made = connect()
        except self._driver.errors as error:
            failure = self._failure(error, began_s, self.bounds.connect_s, begun=False)
            if failure is None:
                return Answered(error)
            witness.failed(failure, began_s)
            raise failure from error
        slots = self.policy.plan.slots
        assert slots is not None, "required of the policy"
        keep(made, Place(slots, self._lost))
        return made

    def _told(self, through: Callable[[], R | Answered]) -> R:
        try:
            result: R = opened(through())
        except MainstayError as error:
            raise self._theirs(error) from error.__cause__
        return result

    def _theirs(self, error: MainstayError) -> MainstayError:
        """Return the error as SQLAlchemy's too; with what its constructor would set."""
        fields: dict[str, object] = {
            "statement": None, "params": None, "orig": error.__cause__ or error, "detail": [],
            "hide_parameters": True, "ismulti": None, "connection_invalidated": False,
        }  # fmt: skip
        return also(error, self._driver.theirs, **fields)

    def _region(self, within_s: float) -> DeadlineRegion:
        return DeadlineRegion(within_s, self.policy.plan.clock)

    def _failure(
        self, error: Exception, began_s: float, within_s: float, *, begun: bool
    ) -> MainstayError | None:
        """Return in our words what failed, or None: the database answered."""
        plan, kind = self.policy.plan, kind_of(error)
        if kind is Kind.CONTENTION and self._over(plan.now() - began_s, within_s):
            kind = Kind.TOO_LONG  # It waited for a lock until its time was up.
        match kind:
            case Kind.TOO_LONG:
                return timed_out(plan, began_s=began_s, after_s=within_s, begun=begun)
            case Kind.NOT_NOW:
                return NotServed(plan.name)
            case Kind.LOST:
                return (ConnectionLost if begun else ConnectFailed)(plan.name)
            case Kind.ANSWER | Kind.CONTENTION:
                return None

    @staticmethod
    def _over(took_s: float, within_s: float) -> bool:
        left_s = remaining_s()
        return took_s >= within_s - _OVER_S or (left_s is not None and left_s <= _OVER_S)
