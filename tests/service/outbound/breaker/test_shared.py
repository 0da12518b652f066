"""Circuits that tell each other: what one process finds out, the others need not."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay import Breaker, Policy
from mainstay.core.breakers import Told
from mainstay.core.errors import CircuitOpen
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.breaker.host_share import HostBreakerState, _told
from mainstay.service.outbound.breaker.shared import EVERY_S, SharedBreakerState
from mainstay.service.outbound.events import CircuitChanged
from mainstay.testing import Recorder, VirtualClock


class InMemory:
    """A store with the same contract, in one process."""

    def __init__(self) -> None:
        self.told: Told | None = None

    def read(self) -> Told | None:
        return self.told

    def write(self, open_until_s: float | None) -> Told | None:
        serial = 1 if self.told is None else self.told.serial + 1
        self.told = Told(serial=serial, open_until_s=open_until_s)
        return self.told


class Away:
    """A store that can't be reached."""

    def read(self) -> Told | None:
        return None

    def write(self, open_until_s: float | None) -> Told | None:
        return None


@pytest.fixture(params=["memory", "host"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SharedBreakerState:
    return InMemory() if request.param == "memory" else HostBreakerState(tmp_path / "payments")


def pair(store: SharedBreakerState) -> tuple[Policy, Policy, VirtualClock]:
    clock = VirtualClock()
    breaker = Breaker(failures=2, open="10s", successes=1)
    one, other = (Policy(breaker=breaker, clock=clock, shared=store) for _ in range(2))
    return one, other, clock


def fail() -> None:
    raise ConnectionError


def opened(policy: Policy) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionError):
            policy.call(fail)


def test_a_circuit_that_opens_here_is_open_there(store: SharedBreakerState) -> None:
    one, other, clock = pair(store)
    recorder = Recorder()
    other.events.add(recorder)
    other.call(int)
    opened(one)
    clock.advance(EVERY_S)
    with pytest.raises(CircuitOpen) as caught:
        other.call(int)
    assert caught.value.retry_after_s == pytest.approx(10 - EVERY_S)
    assert recorder.only(CircuitChanged).state is State.OPEN


def test_a_circuit_that_closes_here_closes_there(store: SharedBreakerState) -> None:
    one, other, clock = pair(store)
    opened(one)
    with pytest.raises(CircuitOpen):
        other.call(int)
    clock.advance(10)
    one.call(int)
    assert one.breaker.state is State.CLOSED
    clock.advance(EVERY_S)
    other.call(int)
    assert other.breaker.state is State.CLOSED


def test_what_one_told_itself_changes_nothing_here(store: SharedBreakerState) -> None:
    one, _, clock = pair(store)
    opened(one)
    clock.advance(10)
    one.call(int)
    clock.advance(1)
    one.call(int)
    assert one.breaker.state is State.CLOSED


def test_a_store_that_is_away_rejects_nobody() -> None:
    one, other, clock = pair(Away())
    opened(one)
    clock.advance(1)
    other.call(int)
    with pytest.raises(CircuitOpen):
        one.call(int)


def test_what_was_told_before_the_machine_was_started_anew_is_no_news() -> None:
    store = InMemory()
    store.told = Told(serial=7, open_until_s=1e9)
    one, _, _ = pair(store)
    one.call(int)


def test_the_file_is_private_and_a_link_is_not_followed(tmp_path: Path) -> None:
    state = HostBreakerState(tmp_path / "payments")
    assert state.write(5.0) is not None
    assert stat.S_IMODE((tmp_path / "payments").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "payments")
    assert HostBreakerState(tmp_path / "link").read() is None


def test_a_folder_that_is_missing_is_as_good_as_nothing_told(tmp_path: Path) -> None:
    state = HostBreakerState(tmp_path / "missing" / "run" / "payments")
    assert state.read() is None
    assert state.write(5.0) is None


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    assert HostBreakerState(tmp_path / "run" / "payments").write(5.0) is not None
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_a_file_that_was_removed_is_made_anew_and_found_by_all(tmp_path: Path) -> None:
    """Who cleans temporary folders must not leave two halves that don't hear each other."""
    path = tmp_path / "run" / "payments"
    one, other = HostBreakerState(path), HostBreakerState(path)
    one.write(5.0)
    assert other.read() is not None
    path.unlink()
    path.parent.rmdir()
    told = one.write(6.0)
    assert told is not None
    assert other.read() == told


def test_a_file_that_others_may_write_or_that_has_two_names_is_not_used(tmp_path: Path) -> None:
    """In a folder of somebody else, the name may lead to a file of ours that is no circuit's."""
    path, precious = tmp_path / "payments", tmp_path / "precious"
    precious.write_bytes(b"precious")
    precious.chmod(0o600)
    path.hardlink_to(precious)
    state = HostBreakerState(path)
    assert (state.read(), state.write(5.0)) == (None, None)
    assert precious.read_bytes() == b"precious"
    path.unlink()
    path.touch()
    path.chmod(0o622)
    assert (state.read(), state.write(5.0)) == (None, None)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert (state.read(), state.write(5.0)) == (None, None)
    path.unlink()
    assert state.write(5.0) == state.read() is not None
    assert precious.read_bytes() == b"precious"


def test_a_file_that_is_cut_short_is_as_good_as_nothing_told(tmp_path: Path) -> None:
    state = HostBreakerState(tmp_path / "payments")
    state.write(5.0)
    os.truncate(tmp_path / "payments", 7)
    assert state.read() is None
    told = state.write(6.0)
    assert state.read() == told


@given(st.binary(max_size=40))
def test_hostile_bytes_are_as_good_as_nothing_told(record: bytes) -> None:
    assert _told(record) is None


def test_processes_of_one_host_tell_each_other(tmp_path: Path) -> None:
    path = tmp_path / "payments"
    mine = HostBreakerState(path)
    code = (
        "import sys; from mainstay.service.outbound.breaker.host_share import HostBreakerState;"
        "print(HostBreakerState(sys.argv[1]).write(123.5).serial)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, path], check=True, capture_output=True, text=True
    )
    assert mine.read() == Told(serial=int(said.stdout), open_until_s=123.5)
    assert mine.write(None) == mine.read()
