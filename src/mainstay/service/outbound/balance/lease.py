"""One call to one endpoint, from the choice to its end."""

from enum import Enum
from types import TracebackType
from typing import Protocol, Self

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.member import Member


class Outcome(Enum):
    """How a call ended, as far as its endpoint is concerned."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Looked up once: CPython 3.11 takes as long for a member of an Enum as for a call.
SUCCEEDED = Outcome.SUCCEEDED
FAILED = Outcome.FAILED
CANCELLED = Outcome.CANCELLED


class Ledger(Protocol):
    """Where a lease is settled: the balancer."""

    def settle(self, lease: "Lease", outcome: Outcome, latency_s: float | None) -> None:
        """Close the lease; of several calls the first counts."""
        ...


class Lease:
    """Counts as a call in flight until it is settled. The first word counts, later ones don't.

    Use it as a context manager, so that it is settled on every way out: what is left open is
    ``cancelled``, which says nothing about the endpoint.

    Attributes:
        member: The balancer's record of it.
        generation: The member's, when it was picked.
        begun_s: When it was picked, in monotonic seconds.
        settled: Whether it is over. Written by the ledger.
    """

    __slots__ = ("_ledger", "begun_s", "generation", "member", "settled")

    def __init__(self, ledger: Ledger, member: Member, begun_s: float) -> None:
        self._ledger = ledger
        self.member = member
        self.generation = member.generation
        self.begun_s = begun_s
        self.settled = False

    @property
    def endpoint(self) -> Endpoint:
        """Whom to call."""
        return self.member.endpoint

    def succeeded(self, latency_s: float | None = None) -> None:
        """Say that the endpoint answered.

        Args:
            latency_s: How long it took, not negative; None measures since the pick.
        """
        self._ledger.settle(self, SUCCEEDED, latency_s)

    def failed(self) -> None:
        """Say that the endpoint failed: it refused, broke off, timed out or answered an error."""
        self._ledger.settle(self, FAILED, None)

    def cancelled(self) -> None:
        """Say that the caller went away, or that nothing can be said about the endpoint."""
        self._ledger.settle(self, CANCELLED, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.settled:
            self.cancelled()
