"""Three endpoints, every way to choose among them, and what tests do to them."""

from typing import get_args

from mainstay.service.outbound.balance import Balancer, Endpoint, Way

THREE = ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
WAYS: tuple[Way, ...] = get_args(Way)


def fail(balancer: Balancer, endpoint: str, *, times: int) -> None:
    """Let calls to one endpoint fail, by excluding the others."""
    others = [one for one in map(Endpoint.parse, THREE) if str(one) != endpoint]
    for _ in range(times):
        lease = balancer.pick(exclude=others, key="k")
        assert str(lease.endpoint) == endpoint
        lease.failed()


def active(balancer: Balancer) -> int:
    return sum(state.active for state in balancer.endpoints())
