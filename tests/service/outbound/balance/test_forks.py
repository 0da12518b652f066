"""Balancers in a process that was forked off one whose threads were using them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.forking import in_child
from tests.service.outbound.balance.three import THREE, active

from mainstay.service.outbound.balance import Balancer, DnsEndpoints, OnDemandBalancer

# The machine that these forks are about: threads of the parent do not exist in the child.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


@contextmanager
def held(lock: threading.Lock) -> Iterator[None]:
    """As another thread holds it at the moment of the fork."""
    done, got = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            got.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert got.wait(60)
    try:
        yield
    finally:
        done.set()
        holder.join()


@pytest.mark.parametrize("kind", [Balancer, OnDemandBalancer])
def test_a_child_waits_for_no_lock_of_a_thread_that_it_does_not_have(kind: type[Balancer]) -> None:
    balancer = kind(THREE)

    def work() -> None:
        with balancer.pick() as lease:
            lease.succeeded()
        balancer.replace(THREE[:2])

    with held(balancer._lock):
        assert in_child(work)
    with balancer.pick():
        assert active(balancer) == 1


def test_a_child_looks_names_up_while_a_thread_of_its_parent_does() -> None:
    names = DnsEndpoints("catalog.internal", 80, resolve=lambda *_: ["10.0.0.1"])

    def work() -> None:
        assert [str(one) for one in names.refresh()] == ["10.0.0.1:80"]

    with held(names._lock):
        assert in_child(work)


def test_calls_of_the_parent_are_not_in_flight_in_the_child() -> None:
    """Else an endpoint that was busy at that moment would seem busy for ever."""
    balancer = Balancer(THREE, by="least_requests")
    leases = [balancer.pick() for _ in range(5)]

    def work() -> None:
        assert active(balancer) == 0
        new = balancer.pick()
        assert active(balancer) == 1
        for lease in leases:
            lease.succeeded()
        new.succeeded()
        assert active(balancer) == 0

    assert in_child(work)
    assert active(balancer) == 5


def test_children_choose_by_a_chance_of_their_own() -> None:
    """Else all workers of a server would go to the same endpoints in the same order."""
    balancer = Balancer([f"10.0.0.{number}:80" for number in range(200)], by="two_choices")

    def differs_from(state: object) -> bool:
        def work() -> None:
            assert balancer._rng.getstate() != state

        return in_child(work)

    assert differs_from(balancer._rng.getstate())
