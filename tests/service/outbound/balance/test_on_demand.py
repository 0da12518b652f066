"""A balancer that has its source asked when calls come: nobody waits for it."""

import threading

from mainstay.service.outbound.balance import Endpoint, OnDemandBalancer
from mainstay.testing import VirtualClock

LONG_S = 60.0


class Answers:
    """A source that answers when it is let."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.let = threading.Semaphore(0)

    def refresh(self) -> tuple[Endpoint, ...]:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.let.acquire(timeout=LONG_S)
        self.at_once -= 1
        return tuple(map(Endpoint.parse, self.answers.pop(0) if self.answers else ()))

    async def arefresh(self) -> tuple[Endpoint, ...]:
        raise NotImplementedError

    def wait_s(self) -> float:
        return 30.0


def balancer_on(source: Answers, clock: VirtualClock) -> OnDemandBalancer:
    made = OnDemandBalancer(["catalog.internal:80"], by="round_robin", clock=clock)
    made.follow(source)
    return made


def called(balancer: OnDemandBalancer) -> str:
    with balancer.pick() as lease:
        lease.succeeded()
        return str(lease.endpoint)


def known(balancer: OnDemandBalancer) -> list[str]:
    return [str(state.endpoint) for state in balancer.endpoints()]


def until_known(balancer: OnDemandBalancer, endpoints: list[str]) -> None:
    """Wait for the look-up that is on its way."""
    assert balancer._asking is not None
    balancer._asking.join(LONG_S)
    assert known(balancer) == endpoints


def test_the_first_calls_go_by_name_while_the_source_is_asked_once() -> None:
    source = Answers(("10.0.0.1:80", "10.0.0.2:80"))
    balancer = balancer_on(source, VirtualClock())
    assert [called(balancer) for _ in range(20)] == ["catalog.internal:80"] * 20
    source.let.release()
    until_known(balancer, ["10.0.0.1:80", "10.0.0.2:80"])
    assert {called(balancer) for _ in range(4)} == {"10.0.0.1:80", "10.0.0.2:80"}
    assert (source.asked, source.most_at_once) == (1, 1)


def test_it_is_asked_again_when_a_call_comes_after_the_answer_is_due() -> None:
    clock, source = VirtualClock(), Answers(("10.0.0.1:80",), ("10.0.0.2:80",))
    balancer = balancer_on(source, clock)
    source.let.release()
    called(balancer)
    until_known(balancer, ["10.0.0.1:80"])
    clock.advance(29.9)
    assert called(balancer) == "10.0.0.1:80"
    assert source.asked == 1
    clock.advance(0.2)
    assert called(balancer) == "10.0.0.1:80"
    source.let.release()
    until_known(balancer, ["10.0.0.2:80"])
    assert source.asked == 2


def test_an_answer_without_endpoints_leaves_those_that_are_known() -> None:
    clock, source = VirtualClock(), Answers(("10.0.0.1:80",), ())
    balancer = balancer_on(source, clock)
    source.let.release(2)
    called(balancer)
    until_known(balancer, ["10.0.0.1:80"])
    clock.advance(31)
    called(balancer)
    until_known(balancer, ["10.0.0.1:80"])
    assert source.asked == 2


def test_the_answer_of_a_source_that_was_replaced_changes_nothing() -> None:
    old, new = Answers(("10.0.0.1:80",)), Answers(("10.0.0.9:80",))
    balancer = balancer_on(old, VirtualClock())
    called(balancer)
    balancer.follow(new)
    old.let.release()
    until_known(balancer, ["catalog.internal:80"])
    new.let.release()
    called(balancer)
    until_known(balancer, ["10.0.0.9:80"])


def test_without_a_source_it_is_a_balancer() -> None:
    balancer = OnDemandBalancer(["10.0.0.1:80"])
    assert called(balancer) == "10.0.0.1:80"
