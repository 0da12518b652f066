"""Policies in a process that was forked off one whose threads were using them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from tests.forking import in_child

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Fallback,
    Policy,
    RateLimit,
    Retry,
    keyed,
)
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.shells import specialised

# The machine that these forks are about: threads of the parent do not exist in the child.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")


def everything() -> Policy:
    return Policy(
        fallback=Fallback(last_good=5), deadline=Deadline("5s"), bulkhead=Bulkhead(limit=2),
        rate_limit=RateLimit(rate=1e6, burst=1000), retry=Retry(attempts=2, backoff=(0, 0)),
        breaker=Breaker(failures=50, rate="99% of 20 in 30s"), attempt_timeout=AttemptTimeout(),
    )  # fmt: skip


def fails_once() -> Callable[[], str]:
    failed: list[None] = []

    def call() -> str:
        if not failed:
            failed.append(None)
            raise ConnectionError
        return "answer"

    return call


@contextmanager
def every_lock_held(policy: Policy) -> Iterator[None]:
    """As if each were held by some thread at the moment of the fork."""
    plan, done, held = policy.plan, threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as locks:
            for machine in (
                plan.circuit, plan.slots, plan.limiter, plan.budget, plan.latency, plan.last_good
            ):  # fmt: skip
                assert machine is not None
                locks.enter_context(machine._lock)
            locks.enter_context(policy._lock)
            locks.enter_context(specialised._MAKING)
            held.set()
            done.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(60)
    try:
        yield
    finally:
        done.set()
        holder.join()


def test_a_child_waits_for_no_lock_of_a_thread_that_it_does_not_have() -> None:
    policy = everything()
    policy.call(int)
    with every_lock_held(policy):

        def work() -> None:
            assert policy.call(fails_once()) == "answer"
            assert policy.stats().in_flight == 0
            with policy.fault(_NoFault()), policy:
                pass

        assert in_child(work)
    assert policy.call(int) == 0


class _NoFault:
    def befall(self) -> tuple[float, Exception | None]:
        return 0.0, None


@pytest.mark.parametrize("per_key", [None, 1])
def test_slots_and_probes_of_the_parents_threads_are_free_in_the_child(per_key: int | None) -> None:
    policy = Policy(
        bulkhead=Bulkhead(limit=1, per_key=per_key),
        breaker=Breaker(failures=1, open="1ms", open_max="1ms", successes=1),
    )
    once = policy.once
    inside, done = threading.Event(), threading.Event()
    with pytest.raises(ConnectionError):
        policy.call(fails_once())

    def hold() -> str:
        inside.set()
        done.wait(60)
        return "held"

    def probe() -> None:
        with keyed("tenant"):
            while not inside.is_set():
                with suppress(CircuitOpen):
                    policy.call(hold)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        assert inside.wait(60)

        def work() -> None:
            with keyed("tenant"):
                assert once.call(int) == 0
            assert policy.stats().state == "closed"
            assert policy.stats().in_flight == 0

        assert in_child(work)
        assert policy.stats().in_flight == 1
    finally:
        done.set()
        thread.join()
    assert policy.stats().in_flight == 0


def test_a_call_that_forks_leaves_both_processes_with_all_their_slots() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1))

    def work() -> None:
        assert policy.call(int) == 0

    def fork_within() -> bool:
        # In the child the call goes on to its end in the middle of ``in_child``.
        return in_child(work)

    assert policy.call(fork_within)
    assert policy.stats().in_flight == 0
    assert policy.call(int) == 0
