"""One attempt at one endpoint: chosen by the balancer, and told how it went."""

from types import TracebackType

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.balance import Balancer, Endpoint, Lease
from mainstay.service.outbound.context import current_key


class Turn:
    """``with`` chooses an endpoint that was not tried yet, and settles its lease at the end.

    Args:
        balancer: Who chooses.
        tried: Endpoints of earlier attempts of the call; the new one is added.
    """

    __slots__ = ("_balancer", "_lease", "_tried")

    def __init__(self, balancer: Balancer, tried: list[Endpoint]) -> None:
        self._balancer = balancer
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
        elif isinstance(error, PolicyMisused):
            self._lease.cancelled()
        elif isinstance(error, Exception) or remaining_s() == 0.0:
            # A cancellation when the attempt's time is up is the endpoint's slowness.
            self._lease.failed()
        else:
            self._lease.cancelled()
