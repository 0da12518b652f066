"""Circuits at their bounds: what is reset, taken over, reconfigured, and the very last moment."""

import math

import pytest

from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.breaker.circuit import (
    REFUSED,
    UNCOUNTED,
    Change,
    Circuit,
    Mode,
    State,
)
from mainstay.service.outbound.breaker.window import TimeWindow


def fail(circuit: Circuit, times: int = 1, *, now_s: float = 0.0) -> Change | None:
    change = None
    for _ in range(times):
        change = circuit.failed(circuit.closed, now_s=now_s, took_s=0.0)
    return change


def state(circuit: Circuit) -> State:
    """Return the state; by a call, or the type checker takes it for what it was before."""
    return circuit.state


def mode(circuit: Circuit) -> Mode:
    return circuit.mode


def heeds_success(circuit: Circuit) -> bool:
    return circuit.heeds_success


def test_a_reset_forgets_failures_in_a_row_of_a_closed_circuit() -> None:
    circuit = Circuit(Breaker(failures=2))
    fail(circuit)
    old = circuit.closed
    assert circuit.reset() is None
    assert fail(circuit) is None
    assert circuit.failed(old, now_s=0.0, took_s=0.0) is None
    assert fail(circuit) is not None


def test_a_closed_circuit_lets_calls_through_at_once() -> None:
    circuit = Circuit(Breaker(failures=1, open=10))
    assert (circuit.retry_after_s(0.0), circuit.opened_until_s()) == (0.0, None)
    fail(circuit, now_s=100.0)
    assert (circuit.retry_after_s(104.0), circuit.opened_until_s()) == (6.0, 110.0)
    assert circuit.retry_after_s(111.0) == 0.0
    assert circuit.rejects_until_s == 110.0
    circuit.reset()
    assert (circuit.retry_after_s(0.0), circuit.opened_until_s()) == (0.0, None)
    assert circuit.rejects_until_s == -math.inf


def test_a_half_open_circuit_is_not_open() -> None:
    circuit = Circuit(Breaker(failures=1, open=10))
    fail(circuit)
    assert circuit.admit(10.0) > 0
    assert circuit.opened_until_s() is None
    assert circuit.rejects_until_s == -math.inf


def test_what_another_found_open_is_open_here_until_the_same_moment() -> None:
    circuit = Circuit(Breaker())
    assert circuit.adopt(open_until_s=5.0, now_s=5.0) is None
    assert circuit.adopt(open_until_s=4.0, now_s=5.0) is None
    assert state(circuit) is State.CLOSED
    opened = circuit.adopt(open_until_s=9.0, now_s=5.0)
    assert opened == Change(was=State.CLOSED, state=State.OPEN)
    assert circuit.opened_until_s() == 9.0
    assert circuit.adopt(open_until_s=99.0, now_s=5.0) is None
    assert circuit.opened_until_s() == 9.0
    assert (circuit.admit(8.9), circuit.admit(9.0) > 0) == (REFUSED, True)


def test_a_probe_is_overtaken_by_what_another_found_open() -> None:
    circuit = Circuit(Breaker(failures=1, open=10))
    fail(circuit)
    probe = circuit.admit(10.0)
    found = circuit.adopt(open_until_s=20.0, now_s=11.0)
    assert found == Change(was=State.HALF_OPEN, state=State.OPEN)
    assert circuit.succeeded(probe, now_s=12.0, took_s=0.0) is None
    assert state(circuit) is State.OPEN


def test_what_another_closed_is_closed_here() -> None:
    circuit = Circuit(Breaker(failures=1))
    assert circuit.adopt(open_until_s=None, now_s=0.0) is None
    fail(circuit)
    closed = circuit.adopt(open_until_s=None, now_s=1.0)
    assert closed == Change(was=State.OPEN, state=State.CLOSED)
    assert circuit.closed > 0


def test_shadow_comes_and_goes_with_the_options() -> None:
    circuit = Circuit(Breaker())
    circuit.reconfigure(Breaker(shadow=True))
    assert mode(circuit) is Mode.SHADOW
    circuit.reconfigure(Breaker(shadow=True, failures=7))
    assert mode(circuit) is Mode.SHADOW
    circuit.reconfigure(Breaker())
    assert mode(circuit) is Mode.ENFORCE


@pytest.mark.parametrize("by_hand", [Mode.FORCED_OPEN, Mode.DISABLED])
def test_shadow_in_the_options_does_not_undo_what_an_operator_did(by_hand: Mode) -> None:
    circuit = Circuit(Breaker())
    circuit.set_mode(by_hand)
    circuit.reconfigure(Breaker(shadow=True))
    assert mode(circuit) is by_hand


def test_a_shadow_set_by_hand_stays_while_the_options_say_the_same() -> None:
    circuit = Circuit(Breaker())
    circuit.set_mode(Mode.SHADOW)
    circuit.reconfigure(Breaker(failures=7))
    assert mode(circuit) is Mode.SHADOW


def test_a_call_that_takes_exactly_as_long_as_allowed_is_not_slow() -> None:
    circuit = Circuit(Breaker(slow="1s", slow_rate="50% of 4 in 10 calls"))
    for _ in range(8):
        assert circuit.succeeded(circuit.closed, now_s=0.0, took_s=1.0) is None
    assert circuit.counts()["slow_window_hits"] == 0


def test_a_failure_counts_as_slow_where_it_was() -> None:
    circuit = Circuit(Breaker(failures=100, slow="1s", slow_rate="50% of 4 in 10 calls"))
    for took_s in (1.5, 0.5, 0.5):
        assert circuit.failed(circuit.closed, now_s=0.0, took_s=took_s) is None
    assert (circuit.counts()["slow_window_calls"], circuit.counts()["slow_window_hits"]) == (3, 1)
    assert circuit.failed(circuit.closed, now_s=0.0, took_s=1.5) is not None


def test_a_window_of_time_goes_by_the_time_of_the_call() -> None:
    circuit = Circuit(
        Breaker(failures=100, rate="50% of 4 in 10s", slow="1s", slow_rate="50% of 4 in 10s")
    )
    for now_s in (100.0, 105.0, 111.0):
        circuit.failed(circuit.closed, now_s=now_s, took_s=2.0)
    assert circuit.counts()["failure_window_calls"] == 2
    circuit.succeeded(circuit.closed, now_s=116.0, took_s=2.0)
    counts = circuit.counts()
    assert (counts["failure_window_calls"], counts["failure_window_hits"]) == (2, 1)
    assert (counts["slow_window_calls"], counts["slow_window_hits"]) == (2, 2)


def test_the_counts_say_what_is_going_on() -> None:
    circuit = Circuit(Breaker(failures=2, open=1, probes=3))
    fail(circuit)
    assert circuit.counts() == {
        "state": "closed", "mode": "enforce", "failures_in_a_row": 1, "probes_in_flight": 0,
    }  # fmt: skip
    fail(circuit)
    circuit.admit(1.0)
    circuit.admit(1.0)
    assert circuit.counts() == {
        "state": "half_open", "mode": "enforce", "failures_in_a_row": 2, "probes_in_flight": 2,
    }  # fmt: skip


def test_a_lease_ends_at_its_very_moment() -> None:
    circuit = Circuit(Breaker(failures=1, open=10, lease=5))
    fail(circuit)
    assert circuit.admit(10.0) > 0
    assert circuit.admit(14.9) == REFUSED
    second = circuit.admit(15.0)
    assert second > 0
    assert circuit.admit(19.9) == REFUSED


def test_good_probes_are_counted_anew_in_each_half_open_state() -> None:
    circuit = Circuit(Breaker(failures=1, open=1, successes=2, probes=2))
    fail(circuit)
    good, bad = circuit.admit(1.0), circuit.admit(1.0)
    assert circuit.succeeded(good, now_s=1.0, took_s=0.0) is None
    circuit.failed(bad, now_s=1.0, took_s=0.0)
    assert circuit.succeeded(circuit.admit(10.0), now_s=10.0, took_s=0.0) is None
    assert state(circuit) is State.HALF_OPEN


def test_it_heeds_success_only_where_one_would_change_something() -> None:
    circuit = Circuit(Breaker(failures=2, successes=1, open=1))
    assert (circuit.timed, circuit.heeds_success) == (False, False)
    fail(circuit)
    assert heeds_success(circuit)
    circuit.set_mode(Mode.ENFORCE)
    assert heeds_success(circuit)
    circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.0)
    assert not heeds_success(circuit)
    fail(circuit, 2)
    assert heeds_success(circuit)
    circuit.succeeded(circuit.admit(1.0), now_s=1.0, took_s=0.0)
    assert not heeds_success(circuit)


@pytest.mark.parametrize(
    "options",
    [
        Breaker(rate="50% of 4 in 10s"),
        Breaker(slow="1s", slow_rate="50% of 4 in 10s"),
    ],
)
def test_a_window_heeds_every_success(options: Breaker) -> None:
    circuit = Circuit(options)
    assert (circuit.timed, circuit.heeds_success) == (True, True)
    circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.0)
    assert circuit.heeds_success
    circuit.reconfigure(Breaker())
    assert (circuit.timed, circuit.heeds_success) == (False, False)


@pytest.mark.parametrize(
    ("by_hand", "closed", "rejects_until_s"),
    [
        (Mode.DISABLED, UNCOUNTED, -math.inf),
        (Mode.FORCED_OPEN, REFUSED, math.inf),
        (Mode.SHADOW, REFUSED, -math.inf),
        (Mode.ENFORCE, REFUSED, 60.0),
    ],
)
def test_what_calls_read_of_an_open_circuit(
    by_hand: Mode, closed: int, rejects_until_s: float
) -> None:
    circuit = Circuit(Breaker(failures=1))
    fail(circuit)
    circuit.set_mode(by_hand)
    assert (circuit.closed, circuit.rejects_until_s) == (closed, rejects_until_s)
    assert circuit.refuses(UNCOUNTED) is (by_hand is Mode.SHADOW)
    assert not circuit.refuses(1)


def test_a_disabled_circuit_that_is_asked_lets_through() -> None:
    circuit = Circuit(Breaker(failures=1))
    fail(circuit)
    circuit.set_mode(Mode.DISABLED)
    assert circuit.admit(0.0) == UNCOUNTED


def test_a_closed_circuit_that_is_asked_gives_the_permit_of_its_period() -> None:
    circuit = Circuit(Breaker(failures=1))
    assert circuit.admit(0.0) == circuit.closed > 0


def test_the_open_time_doubles_however_often_it_reopens() -> None:
    """The shortest open time reaches the longest one that can be declared, and stays there."""
    circuit = Circuit(Breaker(failures=1, open="1ms", open_max="366d"))
    fail(circuit)
    now_s = 0.0
    for nth in range(40):
        wait_s = circuit.retry_after_s(now_s)
        assert wait_s == pytest.approx(min(0.001 * 2.0**nth, 366 * 86400.0), rel=1e-6)
        now_s += float(wait_s or 0)
        circuit.failed(circuit.admit(now_s + 1e-3), now_s=now_s, took_s=0.0)


def test_slow_calls_keep_their_window_apart_from_failures() -> None:
    first = Breaker(failures=100, rate="90% of 4 in 10 calls", slow=1, slow_rate="90% of 4 in 9s")
    circuit = Circuit(first)
    fail(circuit, 2)
    second = Breaker(failures=100, rate="80% of 4 in 10s", slow=1, slow_rate="80% of 4 in 9s")
    circuit.reconfigure(second)
    counts = circuit.counts()
    assert (counts["failure_window_calls"], counts["slow_window_calls"]) == (0, 2)
    circuit.reconfigure(Breaker(failures=100, rate="70% of 4 in 11s"))
    assert circuit.counts().get("failure_window_calls") == 0
    assert "slow_window_calls" not in circuit.counts()
    circuit.reconfigure(second)
    assert circuit.counts()["slow_window_calls"] == 0
    assert circuit.options is second


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_probe_that_answers_after_the_circuit_closed_changes_nothing(outcome: str) -> None:
    circuit = Circuit(Breaker(failures=1, open=1, successes=1, probes=2))
    fail(circuit)
    good, late = circuit.admit(1.0), circuit.admit(1.0)
    assert circuit.succeeded(good, now_s=1.0, took_s=0.0) is not None
    assert circuit.counts()["probes_in_flight"] == 0
    assert getattr(circuit, outcome)(late, now_s=1.0, took_s=0.0) is None
    assert state(circuit) is State.CLOSED


def test_a_closed_circuit_begins_with_empty_windows() -> None:
    share = "50% of 4 in 10s"
    circuit = Circuit(Breaker(failures=100, rate=share, slow=1, slow_rate=share, successes=1))
    for _ in range(4):
        circuit.failed(circuit.closed, now_s=0.0, took_s=2.0)
    assert circuit.counts()["slow_window_hits"] == 4
    circuit.succeeded(circuit.admit(60.0), now_s=60.0, took_s=0.0)
    counts = circuit.counts()
    assert state(circuit) is State.CLOSED
    assert (counts["failure_window_calls"], counts["slow_window_calls"]) == (0, 0)


def test_a_late_success_of_an_older_period_does_not_excuse_failures_of_this_one() -> None:
    circuit = Circuit(Breaker(failures=2, open=1, successes=1))
    old = circuit.closed
    fail(circuit, 2)
    circuit.succeeded(old, now_s=0.5, took_s=0.0)
    assert circuit.counts()["failures_in_a_row"] == 2
    circuit.succeeded(circuit.admit(1.0), now_s=1.0, took_s=0.0)
    fail(circuit)
    circuit.succeeded(old, now_s=2.0, took_s=0.0)
    assert fail(circuit) == Change(was=State.CLOSED, state=State.OPEN)


def test_a_second_bad_probe_makes_the_open_time_no_longer() -> None:
    circuit = Circuit(Breaker(failures=1, open=10, probes=2))
    fail(circuit)
    bad, late = circuit.admit(10.0), circuit.admit(10.0)
    assert circuit.failed(bad, now_s=11.0, took_s=0.0) is not None
    assert circuit.failed(late, now_s=12.0, took_s=0.0) is None
    assert (circuit.opened_until_s(), circuit.counts()["probes_in_flight"]) == (31.0, 0)


def test_slow_successes_open_it_though_none_failed() -> None:
    share = "50% of 4 in 10 calls"
    circuit = Circuit(Breaker(rate=share, slow=1, slow_rate=share))
    for _ in range(3):
        assert circuit.succeeded(circuit.closed, now_s=0.0, took_s=2.0) is None
    assert circuit.succeeded(circuit.closed, now_s=0.0, took_s=2.0) is not None


def test_one_slow_call_is_enough_where_one_is_asked_for() -> None:
    circuit = Circuit(Breaker(slow=1, slow_rate="100% of 1 in 10 calls"))
    assert circuit.succeeded(circuit.closed, now_s=0.0, took_s=2.0) is not None


@pytest.mark.parametrize("rate", ["0.0000001% of 1 in 10 calls", None])
def test_no_share_is_so_small_that_no_call_at_all_is_enough(rate: str | None) -> None:
    least = "0.0000001% of 1 in 10 calls"
    circuit = Circuit(Breaker(rate=rate, slow=1, slow_rate=least))
    assert circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.5) is None


def test_a_quiet_window_is_that_of_a_closed_circuit_without_failures() -> None:
    circuit = Circuit(Breaker(failures=3, rate="50% of 20 in 30s", successes=1))
    window = circuit.quiet
    assert isinstance(window, TimeWindow)
    assert circuit.heeds_success
    circuit.failed(circuit.closed, now_s=0.0, took_s=0.0)
    assert quiet(circuit) is None
    circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.0)
    assert quiet(circuit) is None
    circuit.succeeded(circuit.closed, now_s=40.0, took_s=0.0)
    assert quiet(circuit) is window
    window.misses += 4
    assert circuit.counts()["failure_window_calls"] == 5
    for _ in range(3):
        circuit.failed(circuit.closed, now_s=40.0, took_s=0.0)
    assert quiet(circuit) is None
    assert heeds_success(circuit)
    circuit.reset()
    assert quiet(circuit) is window


def test_no_window_is_quiet_where_slow_calls_count() -> None:
    circuit = Circuit(Breaker(rate="50% of 20 in 30s", slow="1s", slow_rate="50% of 20 in 30s"))
    assert (quiet(circuit), heeds_success(circuit)) == (None, True)
    circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.0)
    assert (quiet(circuit), heeds_success(circuit)) == (None, True)


def test_a_window_of_calls_that_is_full_of_successes_heeds_none() -> None:
    circuit = Circuit(Breaker(failures=9, rate="50% of 2 in 2 calls"))
    for heeded in (True, False, False):
        circuit.succeeded(circuit.closed, now_s=0.0, took_s=0.0)
        assert heeds_success(circuit) is heeded
        assert quiet(circuit) is None
    circuit.failed(circuit.closed, now_s=0.0, took_s=0.0)
    assert heeds_success(circuit)


def quiet(circuit: Circuit) -> TimeWindow | None:
    return circuit.quiet
