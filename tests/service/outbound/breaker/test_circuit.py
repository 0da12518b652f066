"""The state machine of the breaker, on its own: no clock, no call."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.breaker.circuit import (
    REFUSED,
    UNCOUNTED,
    Change,
    Circuit,
    Mode,
    State,
)


def opened(circuit: Circuit, *, now_s: float) -> None:
    """Fail until the circuit opens."""
    while circuit.state is State.CLOSED:
        circuit.failed(circuit.admit(now_s), now_s=now_s, took_s=0.0)


def state(circuit: Circuit) -> State:
    """Return the state; by a call, or the type checker takes it for what it was before."""
    return circuit.state


def test_while_the_probes_are_on_their_way_nobody_knows_when_to_try_again() -> None:
    circuit = Circuit(Breaker(failures=1, open="1s", probes=2, successes=3, lease="30s"))
    circuit.failed(circuit.closed, now_s=0.0, took_s=0.0)
    probes = [circuit.admit(1.0) for _ in range(2)]
    assert circuit.retry_after_s(1.0) is None
    circuit.released(probes[0])
    assert circuit.retry_after_s(1.0) == 0.0
    circuit.admit(1.0)
    assert circuit.retry_after_s(30.9) is None
    # The leases are over: another probe may leave.
    assert circuit.retry_after_s(31.0) == 0.0


def test_failures_in_a_row_open_it_and_one_success_in_between_starts_anew() -> None:
    circuit = Circuit(Breaker(failures=3))
    for _ in range(2):
        assert circuit.failed(circuit.closed, now_s=0, took_s=0) is None
    circuit.succeeded(circuit.closed, now_s=0, took_s=0)
    for _ in range(2):
        assert circuit.failed(circuit.closed, now_s=0, took_s=0) is None
    change = circuit.failed(circuit.closed, now_s=0, took_s=0)
    assert change == Change(was=State.CLOSED, state=State.OPEN)
    assert circuit.closed == REFUSED


def test_open_means_refused_until_the_open_time_is_over() -> None:
    circuit = Circuit(Breaker(failures=1, open=60))
    opened(circuit, now_s=100.0)
    assert circuit.admit(159.999) == REFUSED
    assert circuit.retry_after_s(130.0) == pytest.approx(30.0)
    assert circuit.admit(160.0) > 0
    assert state(circuit) is State.HALF_OPEN


@pytest.mark.parametrize("probes", [1, 3])
def test_half_open_lets_as_many_probes_through_as_are_counted(probes: int) -> None:
    circuit = Circuit(Breaker(failures=1, open=1, probes=probes, successes=5))
    opened(circuit, now_s=0.0)
    permits = [circuit.admit(2.0) for _ in range(50)]
    assert sum(permit != REFUSED for permit in permits) == probes
    circuit.succeeded(permits[0], now_s=2.0, took_s=0)
    assert circuit.admit(2.0) != REFUSED
    assert circuit.admit(2.0) == REFUSED


def test_enough_good_probes_close_it() -> None:
    circuit = Circuit(Breaker(failures=1, open=1, successes=2))
    opened(circuit, now_s=0.0)
    assert circuit.succeeded(circuit.admit(2), now_s=2, took_s=0) is None
    change = circuit.succeeded(circuit.admit(2), now_s=2, took_s=0)
    assert change == Change(was=State.HALF_OPEN, state=State.CLOSED)
    assert circuit.closed > 0


def test_a_bad_probe_opens_it_again_for_twice_as_long_up_to_the_longest() -> None:
    circuit = Circuit(Breaker(failures=1, open=10, open_max=35))
    opened(circuit, now_s=0.0)
    now_s, waits_s = 0.0, []
    for _ in range(4):
        waits_s.append(circuit.retry_after_s(now_s))
        now_s += float(waits_s[-1] or 0)
        circuit.failed(circuit.admit(now_s), now_s=now_s, took_s=0)
    assert waits_s == [10, 20, 35, 35]


def test_closing_forgets_how_long_it_was_open_before() -> None:
    circuit = Circuit(Breaker(failures=1, open=10, successes=1))
    opened(circuit, now_s=0.0)
    circuit.failed(circuit.admit(10), now_s=10, took_s=0)
    circuit.succeeded(circuit.admit(30), now_s=30, took_s=0)
    opened(circuit, now_s=40.0)
    assert circuit.retry_after_s(40.0) == pytest.approx(10.0)


def test_a_late_answer_of_an_older_period_changes_nothing() -> None:
    circuit = Circuit(Breaker(failures=2, open=1, successes=1))
    old = circuit.closed
    opened(circuit, now_s=0.0)
    assert circuit.succeeded(old, now_s=0.5, took_s=0) is None
    assert state(circuit) is State.OPEN
    probe = circuit.admit(2.0)
    assert circuit.succeeded(old, now_s=2.0, took_s=0) is None
    assert circuit.failed(old, now_s=2.0, took_s=0) is None
    assert state(circuit) is State.HALF_OPEN
    circuit.succeeded(probe, now_s=2.0, took_s=0)
    for _ in range(5):
        # Failures of calls that began before it opened don't count against the new period.
        assert circuit.failed(old, now_s=3.0, took_s=0) is None
    assert state(circuit) is State.CLOSED


def test_a_probe_answers_once() -> None:
    circuit = Circuit(Breaker(failures=1, open=1, successes=2))
    opened(circuit, now_s=0.0)
    probe = circuit.admit(2.0)
    circuit.succeeded(probe, now_s=2, took_s=0)
    circuit.succeeded(probe, now_s=2, took_s=0)
    assert state(circuit) is State.HALF_OPEN


def test_a_probe_that_was_cancelled_gives_its_place_to_another() -> None:
    circuit = Circuit(Breaker(failures=1, open=1))
    opened(circuit, now_s=0.0)
    probe = circuit.admit(2.0)
    assert circuit.admit(2.0) == REFUSED
    circuit.released(probe)
    assert circuit.admit(2.0) > 0


def test_a_probe_that_is_not_heard_of_loses_its_lease_and_its_say() -> None:
    circuit = Circuit(Breaker(failures=1, open=1, successes=1, lease=5))
    opened(circuit, now_s=0.0)
    lost = circuit.admit(2.0)
    assert circuit.admit(6.9) == REFUSED
    second = circuit.admit(7.0)
    assert second > 0
    assert circuit.failed(lost, now_s=8, took_s=6) is None
    assert state(circuit) is State.HALF_OPEN
    circuit.succeeded(second, now_s=8, took_s=1)
    assert state(circuit) is State.CLOSED


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    circuit = Circuit(Breaker(failures=100, rate="50% of 10 in 20 calls"))
    for nth in range(9):
        record = circuit.failed if nth % 2 else circuit.succeeded
        assert record(circuit.closed, now_s=0, took_s=0) is None
    # The tenth call is the fifth failure of ten.
    assert circuit.failed(circuit.closed, now_s=0, took_s=0) is not None


def test_a_success_can_be_the_call_that_makes_the_share_count() -> None:
    circuit = Circuit(Breaker(failures=100, rate="50% of 10 in 20 calls"))
    for _ in range(9):
        circuit.failed(circuit.closed, now_s=0, took_s=0)
    assert state(circuit) is State.CLOSED
    change = circuit.succeeded(circuit.closed, now_s=0, took_s=0)
    assert change is not None
    assert change.state is State.OPEN


def test_failures_leave_a_time_window_as_time_passes() -> None:
    circuit = Circuit(Breaker(failures=100, rate="50% of 4 in 10s"))
    for _ in range(3):
        circuit.failed(circuit.closed, now_s=0.0, took_s=0)
    assert circuit.failed(circuit.closed, now_s=20.0, took_s=0) is None
    assert circuit.counts()["failure_window_calls"] == 1


def test_slow_calls_open_it_although_they_succeed() -> None:
    circuit = Circuit(Breaker(slow="1s", slow_rate="50% of 4 in 10 calls"))
    for took_s in (0.5, 1.0, 1.5):
        assert circuit.succeeded(circuit.closed, now_s=0, took_s=took_s) is None
    assert circuit.succeeded(circuit.closed, now_s=0, took_s=1.001) is not None
    assert state(circuit) is State.OPEN


def test_a_slow_probe_is_a_bad_one() -> None:
    circuit = Circuit(
        Breaker(failures=1, open=1, successes=1, slow="1s", slow_rate="50% of 4 in 10 calls")
    )
    opened(circuit, now_s=0.0)
    circuit.succeeded(circuit.admit(2), now_s=2, took_s=1.5)
    assert state(circuit) is State.OPEN


def test_forced_open_refuses_and_disabled_counts_nothing() -> None:
    circuit = Circuit(Breaker(failures=1))
    circuit.set_mode(Mode.FORCED_OPEN)
    assert circuit.closed == REFUSED
    assert circuit.admit(1e9) == REFUSED
    assert circuit.retry_after_s(0.0) is None
    circuit.set_mode(Mode.DISABLED)
    permit = circuit.closed or circuit.admit(0.0)
    assert permit == UNCOUNTED
    for _ in range(10):
        circuit.failed(permit, now_s=0, took_s=0)
    circuit.set_mode(Mode.ENFORCE)
    assert circuit.closed > 0


def test_in_shadow_it_changes_state_and_refuses_nobody() -> None:
    circuit = Circuit(Breaker(failures=1, shadow=True))
    opened(circuit, now_s=0.0)
    permit = circuit.admit(1.0)
    assert permit == UNCOUNTED
    assert circuit.refuses(permit)
    assert state(circuit) is State.OPEN
    probe = circuit.admit(61.0)
    assert not circuit.refuses(probe)


def test_a_call_that_began_while_disabled_says_nothing_afterwards() -> None:
    circuit = Circuit(Breaker(failures=1))
    circuit.set_mode(Mode.DISABLED)
    permit = circuit.closed
    circuit.set_mode(Mode.ENFORCE)
    assert circuit.failed(permit, now_s=0, took_s=0) is None
    assert state(circuit) is State.CLOSED


def test_new_options_keep_the_counts_of_a_window_that_measures_the_same() -> None:
    circuit = Circuit(Breaker(failures=100, rate="50% of 4 in 10 calls"))
    for _ in range(3):
        circuit.failed(circuit.closed, now_s=0, took_s=0)
    circuit.reconfigure(Breaker(failures=100, rate="90% of 3 in 10 calls"))
    assert circuit.counts()["failure_window_calls"] == 3
    assert circuit.failed(circuit.closed, now_s=0, took_s=0) is not None
    circuit.reconfigure(Breaker(failures=100, rate="90% of 3 in 11 calls"))
    assert circuit.counts()["failure_window_calls"] == 0


def test_new_options_leave_an_open_circuit_open() -> None:
    circuit = Circuit(Breaker(failures=1))
    opened(circuit, now_s=0.0)
    circuit.reconfigure(Breaker(failures=7))
    assert circuit.admit(1.0) == REFUSED


def test_new_options_do_not_take_the_operators_hand_off_it() -> None:
    circuit = Circuit(Breaker())
    circuit.set_mode(Mode.FORCED_OPEN)
    circuit.reconfigure(Breaker(failures=7))
    assert circuit.closed == REFUSED
    assert circuit.mode is Mode.FORCED_OPEN


def test_reset_closes_it() -> None:
    circuit = Circuit(Breaker(failures=1))
    assert circuit.reset() is None
    opened(circuit, now_s=0.0)
    assert circuit.reset() == Change(was=State.OPEN, state=State.CLOSED)
    assert circuit.closed > 0


@given(
    st.integers(1, 6),
    st.sampled_from([0.2, 0.5, 1.0]),
    st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=80),
)
def test_it_opens_exactly_when_a_naive_model_says_so(
    calls_min: int, share: float, calls: list[tuple[bool, float]]
) -> None:
    """The model keeps every call and counts again each time."""
    rate = f"{share:.0%} of {calls_min} in 10s"
    circuit = Circuit(Breaker(failures=4, rate=rate))
    now_s, seen, streak = 500.0, list[tuple[int, bool]](), 0
    for failed, pause_s in calls:
        now_s += pause_s
        seen.append((int(now_s // 1.0), failed))
        streak = streak + 1 if failed else 0
        fresh = [hit for at, hit in seen if at > seen[-1][0] - 10]
        broken = len(fresh) >= calls_min and sum(fresh) >= share * len(fresh) and sum(fresh) > 0
        record = circuit.failed if failed else circuit.succeeded
        change = record(circuit.closed, now_s=now_s, took_s=0.0)
        assert (change is not None) == (streak >= 4 or broken)
        if change is not None:
            return


class Wild(RuleBasedStateMachine):
    """Any order of everything: the laws that hold in every state."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit(Breaker(failures=2, open=5, probes=2, successes=2, lease=7))
        self.now_s = 0.0
        self.out: list[int] = []

    @rule(pause_s=st.floats(0, 10))
    def time_passes(self, pause_s: float) -> None:
        self.now_s += pause_s

    @rule()
    def call(self) -> None:
        permit = self.circuit.closed or self.circuit.admit(self.now_s)
        if permit != REFUSED:
            self.out.append(permit)

    @precondition(lambda self: self.out)
    @rule(at=st.integers(0, 10**6), how=st.sampled_from(["succeeded", "failed", "released"]))
    def end(self, at: int, how: str) -> None:
        permit = self.out.pop(at % len(self.out))
        before = self.circuit.state
        if how == "released":
            self.circuit.released(permit)
            assert self.circuit.state is before
        else:
            getattr(self.circuit, how)(permit, now_s=self.now_s, took_s=0.0)

    @precondition(lambda self: self.out)
    @rule(at=st.integers(0, 10**6))
    def lose(self, at: int) -> None:
        self.out.pop(at % len(self.out))

    @invariant()
    def probes_are_counted(self) -> None:
        assert int(self.circuit.counts()["probes_in_flight"]) <= 2

    @invariant()
    def what_calls_read_agrees_with_the_state(self) -> None:
        assert (self.circuit.closed != REFUSED) == (self.circuit.state is State.CLOSED)

    @invariant()
    def it_never_stays_shut_for_good(self) -> None:
        """Whatever was lost: once open time and leases are over, somebody may probe."""
        copy = self.now_s + 1e6
        if self.circuit.state is not State.CLOSED:
            permit = self.circuit.admit(copy)
            assert permit != REFUSED
            self.circuit.released(permit)
            self.now_s = copy


TestWild = Wild.TestCase
TestWild.settings = settings(max_examples=60, stateful_step_count=40)


def test_eight_threads_lose_no_failure() -> None:
    circuit = Circuit(Breaker(failures=8000, rate="100% of 9000 in 9000 calls"))
    barrier = threading.Barrier(8)

    def fail() -> None:
        barrier.wait()
        for _ in range(1000):
            circuit.failed(circuit.closed, now_s=0.0, took_s=0.0)

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(circuit) is State.OPEN
