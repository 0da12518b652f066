"""One attempt at one endpoint: chosen by the balancer, and told how it went."""

from collections.abc import Callable
from types import TracebackType

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.balance import Balancer, Endpoint, Lease
from mainstay.service.outbound.context import current_key
from mainstay.service.outbound.failure import is_failure


class Turn:
    """``with`` chooses an endpoint that was not tried yet, and settles its lease at the end.

    Args:
        balancer: Who chooses.
        tried: Endpoints of earlier attempts of the call; the new one is added.
        given_up: Whether the caller's own time is up, by now.
    """

    __slots__ = ("_balancer", "_given_up", "_lease", "_tried")

    def __init__(
        self, balancer: Balancer, tried: list[Endpoint], given_up: Callable[[], bool]
    ) -> None:
        self._balancer = balancer
        self._given_up = given_up
        self._tried = tried
        self._lease: Lease | None = None

    def __enter__(self) -> Endpoint:
        by = self._balancer.by
        # Only to whom it means something: calls with keys have no part in a slow start.
        key = current_key() if by == "rendezvous" or not isinstance(by, str) else None
        if key is None and by == "rendezvous":
            raise PolicyMisused(
                f"{self._balancer.name}: rendezvous needs a key: call within `with keyed(...)`"
            )
        self._lease = self._balancer.pick(exclude=self._tried, key=key)
        self._tried.append(self._lease.endpoint)
        return self._lease.endpoint

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._lease is not None, "left only when entered"
        if error is None:
            self._lease.succeeded()
        elif self._failed(error):
            self._lease.failed()
        else:
            self._lease.cancelled()

    def _failed(self, error: BaseException) -> bool:
        """Return whether the endpoint failed: not the caller's patience, nor the code's mistake."""
        cut = isinstance(error, TimeoutError) or not isinstance(error, Exception)
        if cut and self._given_up():
            return False
        # A cancellation when the attempt's time is up is the endpoint's slowness.
        return is_failure(error) or (cut and remaining_s() == 0.0)
