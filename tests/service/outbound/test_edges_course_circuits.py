"""What the course of a call makes of its circuit, and tells of it, to the word."""

import pytest
from tests.service.outbound.told import Heard, retry

from mainstay import (
    Breaker,
    Policy,
)
from mainstay.core.breakers import Told
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.breaker.circuit import State
from mainstay.testing import VirtualClock


@pytest.mark.parametrize(("open_s", "attempts"), [(0.0625, 3), (0.125, 3), (0.25, 1)])
def test_a_circuit_that_will_be_open_ends_it_before_the_pause(open_s: float, attempts: int) -> None:
    """One that will be half-open by then does not."""
    breaker = Breaker(failures=1, open=open_s, open_max=open_s)
    heard = Heard(retry=retry(backoff=(0.125, 0.125)), breaker=breaker)
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    told = heard.told()
    assert told[-1] == ("GaveUp", attempts, "breaker" if attempts == 1 else "attempts")
    assert sum(one[0] == "Retried" for one in told) == attempts - 1


def test_an_open_circuit_and_its_probes() -> None:
    heard = Heard(breaker=Breaker(failures=1, open="2s", open_max="2s", successes=1))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    heard.told()
    heard.clock.advance(1.5)
    with pytest.raises(CircuitOpen) as caught:
        heard.policy.call(int)
    assert caught.value.retry_after_s == 0.5
    assert heard.told() == [("Rejected", "breaker", 0.5, False)]
    heard.clock.advance(0.5)
    assert heard.policy.call(int) == 0
    assert heard.told() == [
        ("CircuitChanged", State.OPEN, State.HALF_OPEN),
        ("Probed",),
        ("CircuitChanged", State.HALF_OPEN, State.CLOSED),
        ("Attempted", 1, "success", 0.0),
    ]
    heard.policy.breaker.force_open()
    heard.told()
    with pytest.raises(CircuitOpen) as caught:
        heard.policy.call(int)
    assert caught.value.retry_after_s is None
    assert heard.told() == [("Rejected", "breaker", None, False)]


def test_a_circuit_closes_by_a_success_that_nobody_listens_to() -> None:
    heard = Heard(breaker=Breaker(failures=1, open="2s", open_max="2s", successes=1))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    heard.policy.events.remove(heard.recorder)
    heard.clock.advance(2.0)
    assert heard.policy.call(int) == 0
    assert heard.policy.breaker.state is State.CLOSED


def test_a_circuit_that_only_watches() -> None:
    heard = Heard(breaker=Breaker(failures=1, open="2s", open_max="2s", shadow=True))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    heard.told()
    heard.clock.advance(0.5)
    assert heard.policy.call(int) == 0
    assert heard.told() == [
        ("Rejected", "breaker", 1.5, True),
        ("Attempted", 1, "success", 0.0),
    ]


class Others:
    """What circuits of other processes tell; a fake with the contract of a store."""

    def __init__(self) -> None:
        self.last: Told | None = None
        self.written: list[float | None] = []

    def read(self) -> Told | None:
        return self.last

    def write(self, open_until_s: float | None) -> Told | None:
        self.written.append(open_until_s)
        self.last = Told(serial=len(self.written), open_until_s=open_until_s)
        return self.last


def test_what_others_found_out_is_taken_over_and_told() -> None:
    others = Others()
    heard = Heard(breaker=Breaker(failures=1), retry=retry(), shared=others)
    others.last = Told(serial=77, open_until_s=heard.clock.monotonic_s() + 10.0)
    with pytest.raises(CircuitOpen):
        heard.policy.call(int)
    assert heard.told() == [
        ("CircuitChanged", State.CLOSED, State.OPEN),
        ("Rejected", "breaker", 10.0, False),
    ]
    assert others.written == []


def test_what_one_finds_out_is_told_to_others() -> None:
    others = Others()
    heard = Heard(breaker=Breaker(failures=1, successes=1), shared=others)
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    assert others.written == [heard.clock.monotonic_s() + 60.0]
    heard.clock.advance(60.0)
    heard.policy.call(int)
    assert others.written[1:] == [None]


def test_what_others_find_out_in_a_pause_ends_it() -> None:
    others = Others()
    heard = Heard(breaker=Breaker(), retry=retry(), shared=others)

    def fails() -> None:
        others.last = Told(serial=7, open_until_s=heard.clock.monotonic_s() + 10.0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        heard.policy.call(fails)
    assert heard.told()[-2:] == [
        ("CircuitChanged", State.CLOSED, State.OPEN),
        ("GaveUp", 1, "breaker"),
    ]


def test_what_a_failure_that_is_none_learns_and_gives_back() -> None:
    """A probe's place is free again when its attempt says nothing."""
    heard = Heard(breaker=Breaker(failures=1, open="1s", open_max="1s", probes=1))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    heard.clock.advance(1.0)
    for _ in range(2):
        with pytest.raises(KeyError):
            heard.policy.call(heard.taking(0.0, KeyError()))
    assert heard.policy.breaker.state is State.HALF_OPEN


def test_a_circuit_that_is_forced_open_meanwhile_ends_it_without_a_pause() -> None:
    heard = Heard(retry=retry(), breaker=Breaker())

    def fails() -> None:
        heard.policy.breaker.force_open()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        heard.policy.call(fails)
    assert [one[0] for one in heard.told()] == ["BreakerModeChanged", "Attempted", "GaveUp"]


def test_a_success_in_a_quiet_window_is_one_call_and_takes_no_lock() -> None:
    policy = Policy(breaker=Breaker(rate="50% of 20 in 30s"), clock=VirtualClock())
    circuit = policy.plan.circuit
    assert circuit is not None
    for _ in range(3):
        policy.call(int)
    with circuit._lock:
        policy.call(int)
    assert circuit.counts()["failure_window_calls"] == 4


def test_others_hear_of_a_circuit_that_closes_although_nobody_listens() -> None:
    others = Others()
    heard = Heard(breaker=Breaker(failures=1, successes=1), shared=others)
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    heard.policy.events.remove(heard.recorder)
    heard.clock.advance(60.0)
    heard.policy.call(int)
    assert others.written[1:] == [None]
