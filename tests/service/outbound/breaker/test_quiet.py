"""Successes that are counted without the lock, or not at all: nobody could tell the difference."""

import contextlib
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay import Breaker, Policy
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.breaker.circuit import Circuit, Mode
from mainstay.service.outbound.breaker.window import TimeWindow
from mainstay.testing import VirtualClock

WINDOWS = ["30% of 4 in 10s", "50% of 2 in 3 calls", "60% of 5 in 5 calls", "1% of 1 in 1 calls"]

steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.3, 1.0, 4.0, 25.0]),
        st.sampled_from(["good", "good", "good", "bad", "shadow", "enforce", "disable"]),
    ),
    max_size=60,
)


def breaker(rate: str) -> Breaker:
    return Breaker(failures=4, rate=rate, open="2s", open_max="2s", successes=1)


def told(circuit: Circuit, now_s: float, *, good: bool) -> None:
    """Do what a policy would do that tells its circuit of every call."""
    permit = circuit.closed or circuit.admit(now_s)
    if permit:
        tell = circuit.succeeded if good else circuit.failed
        tell(permit, now_s=now_s, took_s=0.0)


@pytest.mark.parametrize("rate", WINDOWS)
@given(steps=steps)
def test_a_policy_counts_what_a_circuit_counts_that_is_told_of_every_call(
    rate: str, steps: list[tuple[float, str]]
) -> None:
    clock = VirtualClock()
    policy, naive = Policy(breaker=breaker(rate), clock=clock), Circuit(breaker(rate))
    circuit = policy.plan.circuit
    assert circuit is not None

    def fail() -> None:
        raise ConnectionError

    for pause_s, what in steps:
        clock.advance(pause_s)
        if what in {"good", "bad"}:
            told(naive, clock.monotonic_s(), good=what == "good")
            with contextlib.suppress(ConnectionError, CircuitOpen):
                policy.call(int if what == "good" else fail)
        else:
            mode = {"shadow": Mode.SHADOW, "enforce": Mode.ENFORCE, "disable": Mode.DISABLED}[what]
            naive.set_mode(mode)
            circuit.set_mode(mode)
        assert circuit.counts() == naive.counts()


@pytest.mark.parametrize("rate", ["50% of 20 in 30s", "50% of 20 in 20 calls"])
def test_what_is_quiet_costs_no_lock(rate: str) -> None:
    policy = Policy(breaker=Breaker(rate=rate), clock=VirtualClock())
    circuit = policy.plan.circuit
    assert circuit is not None
    for _ in range(20):
        policy.call(int)
    with circuit._lock:
        # The call would wait for ever.
        assert policy.call(int) == 0


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_lose_no_success(hasty_threads: None) -> None:
    """Under a global lock; without one they may, and the window says so."""
    policy = Policy(breaker=Breaker(rate="50% of 20 in 30s"), clock=VirtualClock())
    started = threading.Barrier(8)

    def call() -> None:
        started.wait(60)
        for _ in range(500):
            policy.call(int)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    circuit = policy.plan.circuit
    assert circuit is not None
    found = circuit.counts()["failure_window_calls"]
    without_lock = not getattr(sys, "_is_gil_enabled", lambda: True)()
    assert found == 4000 or (without_lock and int(found) < 4000)


def test_a_permit_of_a_past_period_is_not_counted() -> None:
    policy = Policy(breaker=Breaker(rate="50% of 20 in 30s"), clock=VirtualClock())
    circuit = policy.plan.circuit
    assert circuit is not None

    def reset_within() -> None:
        circuit.set_mode(Mode.SHADOW)
        circuit.adopt(open_until_s=1e9, now_s=policy.plan.now())
        circuit.reset()

    policy.call(int)
    policy.call(reset_within)
    assert circuit.counts()["failure_window_calls"] == 0
    assert isinstance(circuit.quiet, TimeWindow)
