"""SIGHUP: what is read, what is said, and that nothing ends by it."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from mainstay.core.errors import ConfigInvalid, PartMissing
from mainstay.service.inbound.serving import reloading
from mainstay.service.inbound.serving.reloading import Reloader

BOUND_S = 60


class Said:
    def __init__(self) -> None:
        self.good: list[str] = []
        self.bad: list[str] = []

    def reloader(self, reload: Callable[..., Any]) -> Reloader:
        # Any: most say nothing, as if nothing differed.
        return Reloader(reload, self.bad.append, self.good.append)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def hangup(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process without a terminal, wherever the tests run."""
    monkeypatch.setattr(reloading, "_has_terminal", lambda: False)
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGHUP, before)


def refuse(error: BaseException) -> Callable[[], Sequence[str]]:
    def reload() -> Sequence[str]:
        raise error

    return reload


def test_what_was_taken_is_said(said: Said) -> None:
    said.reloader(lambda: ()).read()
    assert said.good == ["mainstay: SIGHUP: dependencies are as they are declared now\n"]
    assert said.bad == []


def test_what_was_not_taken_is_said(said: Said) -> None:
    """Else whoever changes a limit believes that it holds."""
    said.reloader(lambda: ("inbound.rate_limit", "run")).read()
    assert len(said.good) == 1
    assert said.bad == ["mainstay: SIGHUP: not taken before a restart: inbound.rate_limit, run\n"]
    said.reloader(lambda: [f"k{number}" for number in range(10)]).read()
    assert said.bad[1].endswith("k6, k7 and 2 more\n")


def test_every_fault_is_one_line(said: Said) -> None:
    faults = ("mainstay.yaml:1:2: one", "mainstay.yaml:3:4: other")
    said.reloader(refuse(ConfigInvalid(faults))).read()
    assert said.bad == [
        "mainstay: SIGHUP: mainstay.yaml:1:2: one\n",
        "mainstay: SIGHUP: mainstay.yaml:3:4: other\n",
        "mainstay: SIGHUP: the last good declaration stays\n",
    ]
    assert said.good == []


@pytest.mark.parametrize("error", [PartMissing("redis is not installed"), OSError("no such file")])
def test_whatever_else_is_wrong_is_said(error: Exception, said: Said) -> None:
    said.reloader(refuse(error)).read()
    assert said.bad[0] == f"mainstay: SIGHUP: {error}\n"
    assert "stays" in said.bad[1]


def test_each_signal_has_it_read(said: Said, hangup: None) -> None:
    read = threading.Semaphore(0)
    said.reloader(read.release).listen()
    for _ in range(3):
        signal.raise_signal(signal.SIGHUP)
        assert read.acquire(timeout=BOUND_S)


def test_many_signals_during_one_reading_are_one_more(said: Said, hangup: None) -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def reload() -> None:
        begun.release()
        assert go_on.acquire(timeout=BOUND_S)

    said.reloader(reload).listen()
    signal.raise_signal(signal.SIGHUP)
    assert begun.acquire(timeout=BOUND_S)
    for _ in range(20):
        signal.raise_signal(signal.SIGHUP)
    go_on.release()
    assert begun.acquire(timeout=BOUND_S)
    go_on.release()
    # Twenty more readings would take a permit each.
    assert not begun.acquire(timeout=0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_in_a_store_ends_no_later_reading(said: Said, hangup: None) -> None:
    done = threading.Semaphore(0)
    mistakes = [ZeroDivisionError("in a store of the user's")]

    def reload() -> None:
        done.release()
        if mistakes:
            raise mistakes.pop()

    said.reloader(reload).listen()
    for _ in range(2):
        signal.raise_signal(signal.SIGHUP)
        assert done.acquire(timeout=BOUND_S)


def test_a_handler_of_the_apps_own_stays(said: Said, hangup: None) -> None:
    theirs: list[int] = []
    handler = signal.signal(signal.SIGHUP, lambda signum, _: theirs.append(signum))
    assert handler is signal.SIG_IGN
    said.reloader(lambda: None).listen()
    signal.raise_signal(signal.SIGHUP)
    assert theirs == [signal.SIGHUP]
