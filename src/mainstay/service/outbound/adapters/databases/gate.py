"""What the pool, connections and statements of one engine share: policies, and how calls end."""

from dataclasses import dataclass

from mainstay.core.deadline import DeadlineRegion, remaining_s
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.databases.failures import Kind, kind_of
from mainstay.service.outbound.adapters.databases.views import for_checkout, for_unit
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost, also
from mainstay.service.outbound.adapters.held import bulkhead_of, within_place
from mainstay.service.outbound.adapters.outcome import Answered, NotServed, timed_out
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.adapters.telling import QUIET, Telling
from mainstay.service.outbound.policy import Policy

_OVER_S = 0.002
_WORD_CHARS = 64


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
        system: The database, as SQLAlchemy calls it.
    """

    errors: type[Exception]
    theirs: type[Exception]
    system: str = "other_sql"


class Gate:
    """The policies of one engine, and what the ends of its calls mean.

    ``SyncGate`` and ``AsyncGate`` make the calls.

    Args:
        policy: With a bulkhead.
        bounds: Of its connections.
        driver: Whose errors they raise.

    Attributes:
        policy: As given.
        bounds: As given.
        driver: As given.
        getting: The policy for getting a connection.
        running: The one for a statement on a connection, which holds its place already.
        unit: The one for a whole transaction.
        repeatable_unit: The one for a transaction that may be committed twice.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    __slots__ = (
        "_lost", "bounds", "driver", "getting", "policy", "repeatable_unit", "running", "unit",
    )  # fmt: skip

    def __init__(self, policy: Policy, bounds: Bounds, driver: Driver) -> None:
        bulkhead_of(policy, "a database engine")
        self.policy = policy
        self.bounds = bounds
        self.driver = driver
        self._lost = Lost()
        self.getting = policy.derived(for_checkout)
        self.running = within_place(policy)
        self.unit = policy.once.derived(for_unit)
        self.repeatable_unit = policy.derived(for_unit)

    def give_back_lost(self) -> None:
        """Give the places back of connections that were thrown away."""
        self._lost.give_back()

    def telling(self, statement: str) -> Telling:
        """Return what tells of one statement."""
        plan = self.policy.plan
        return (
            Telling(plan, self.driver.system, _word_of(statement)) if plan.events.calls else QUIET
        )

    def place(self) -> Place:
        """Return a place for a connection that is out."""
        slots = self.policy.plan.slots
        assert slots is not None, "required of the policy"
        return Place(slots, self._lost)

    def region(self, within_s: float) -> DeadlineRegion:
        """Return what bounds a call in time."""
        return DeadlineRegion(within_s, self.policy.plan.clock)

    def theirs(self, error: MainstayError) -> MainstayError:
        """Return the error as SQLAlchemy's too; with what its constructor would set."""
        fields: dict[str, object] = {
            "statement": None, "params": None, "orig": error.__cause__ or error, "detail": [],
            "hide_parameters": True, "ismulti": None, "connection_invalidated": False,
        }  # fmt: skip
        return also(error, self.driver.theirs, **fields)

    def failed_to_connect(self, error: Exception, began_s: float) -> MainstayError | Answered:
        """Return what it means that no connection could be had; see ``failed_to_run``."""
        failure = self._failure(error, began_s, self.bounds.connect_s, begun=False)
        return Answered(error) if failure is None else failure

    def failed_to_run(self, error: Exception, began_s: float) -> MainstayError | Answered:
        """Return what an error of a statement means: what failed in our words, or the answer.

        Args:
            error: The driver's.
            began_s: When the attempt began.
        """
        failure = self._failure(error, began_s, self.bounds.statement_s, begun=True)
        return Answered(error) if failure is None else failure

    def cut_off(self, within_s: float, began_s: float, *, begun: bool) -> MainstayError:
        """Return the error of a call that was interrupted when its time was up."""
        return timed_out(self.policy.plan, began_s=began_s, after_s=within_s, begun=begun)

    def _failure(
        self, error: Exception, began_s: float, within_s: float, *, begun: bool
    ) -> MainstayError | None:
        """Return in our words what failed, or None: the database answered."""
        plan, kind = self.policy.plan, kind_of(error)
        waited = plan.now() - began_s >= within_s - _OVER_S or time_is_up()
        if kind is Kind.CONTENTION and waited:
            kind = Kind.TOO_LONG  # It waited for a lock until its time was up.
        match kind:
            case Kind.TOO_LONG:
                return self.cut_off(within_s, began_s, begun=begun)
            case Kind.NOT_NOW:
                return NotServed(plan.name)
            case Kind.LOST:
                return (ConnectionLost if begun else ConnectFailed)(plan.name)
            case Kind.ANSWER | Kind.CONTENTION:
                return None


def _word_of(statement: str) -> str:
    """Return what a statement does, as ``SELECT``; comments before it make it ``OTHER``."""
    word = statement[:_WORD_CHARS].split(None, 1)[:1]
    return word[0].upper() if word and word[0].isalpha() else "OTHER"


def time_is_up() -> bool:
    """Return whether next to nothing is left for what runs now."""
    left_s = remaining_s()
    return left_s is not None and left_s <= _OVER_S
