"""Turns for calls of a WSGI app. Real threads, no real time: what waits is released by hand."""

import threading
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest
from tests.service.inbound.polling import until

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.deadline import DeadlineRegion
from mainstay.service.inbound.refusal import Refused
from mainstay.service.inbound.serving.gate import Gate, Gated


def enter_all(gate: Gate, count: int) -> tuple[list[object], list[threading.Thread]]:
    """Enter in so many threads, one after another; return who got in, in order."""
    entered: list[object] = []

    def enter(number: int) -> None:
        if gate.enter(None):
            entered.append(number)

    threads = []
    for number in range(count):
        threads.append(threading.Thread(target=enter, args=(number,)))
        threads[-1].start()
        until(lambda number=number: len(gate) + len(entered) == number + 1)  # type: ignore[misc]
    return entered, threads


def test_turns_are_handed_on_in_the_order_of_arrival() -> None:
    gate = Gate(2)
    entered, threads = enter_all(gate, 5)
    assert (entered, len(gate)) == ([0, 1], 3)
    for count in (3, 4, 5):
        gate.leave()
        until(lambda count=count: len(entered) == count)  # type: ignore[misc]
    assert entered == [0, 1, 2, 3, 4]
    for thread in threads:
        thread.join(60)


def test_who_comes_when_as_many_wait_as_may_is_told_at_once() -> None:
    gate = Gate(1, waiting_max=2)
    entered, threads = enter_all(gate, 3)
    assert gate.enter(None) is None
    for _ in range(3):
        gate.leave()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, entered)) == ["0", "1", "2"]
    # Everything was given back once, and nothing twice.
    assert [gate.enter(0), gate.enter(0)] == [True, False]


def test_who_waits_too_long_leaves_no_turn_behind() -> None:
    gate = Gate(1)
    assert gate.enter(None)
    assert gate.enter(0.0) is False
    assert len(gate) == 0
    gate.leave()
    assert gate.enter(0.0) is True


def test_no_turn_is_lost_or_made_however_threads_meet() -> None:
    """A thousand calls by eight threads through three turns: never more than three at once."""
    gate, lock = Gate(3), threading.Lock()
    now = peak = done = 0

    def work() -> None:
        nonlocal now, peak, done
        for _ in range(125):
            if not gate.enter(60):
                continue
            with lock:
                now += 1
                peak = max(peak, now)
            with lock:
                now -= 1
                done += 1
            gate.leave()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == 1000
    assert peak <= 3
    assert [gate.enter(0) for _ in range(4)] == [True, True, True, False]


def call(gated: Gated, environ: dict[str, Any] | None = None) -> Iterable[bytes]:
    return gated(environ or {}, lambda *_: None)


def is_free(gate: Gate) -> bool:
    free = gate.enter(0) is True
    if free:
        gate.leave()
    return free


@pytest.mark.parametrize("body", [[b"ok"], (b"ok",)])
def test_a_whole_body_gives_its_turn_back_at_once(body: Any) -> None:
    gate = Gate(1)
    assert call(Gated(lambda *_: body, gate)) is body
    assert is_free(gate)


def test_a_streamed_body_keeps_its_turn_until_it_ends() -> None:
    gate = Gate(1)

    def parts() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    body: Any = call(Gated(lambda *_: parts(), gate))
    assert next(body) == b"a"
    assert not is_free(gate)
    assert list(body) == [b"b"]
    assert is_free(gate)
    body.close()
    assert is_free(gate)


def test_a_body_that_is_closed_early_is_closed_and_gives_its_turn_back() -> None:
    gate, closed = Gate(1), []

    def parts() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    body: Any = call(Gated(lambda *_: parts(), gate))
    next(body)
    body.close()
    assert closed == [True]
    assert is_free(gate)


def test_an_app_that_raises_gives_its_turn_back() -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise LookupError

    def breaks() -> Iterator[bytes]:
        yield b"a"
        raise LookupError

    gate = Gate(1)
    with pytest.raises(LookupError):
        call(Gated(app, gate))
    assert is_free(gate)
    with pytest.raises(LookupError):
        list(call(Gated(lambda *_: breaks(), gate)))
    assert is_free(gate)


def test_the_servers_own_wrapper_of_a_file_is_left_alone() -> None:
    class Wrapper:
        def __iter__(self) -> Iterator[bytes]:
            return iter(())

    gate, body = Gate(1), Wrapper()
    assert call(Gated(lambda *_: body, gate), {"wsgi.file_wrapper": Wrapper}) is body
    assert is_free(gate)


def test_what_finds_no_turn_is_refused_as_admission_would() -> None:
    gate = Gate(1, waiting_max=0)
    gate.enter(None)
    with pytest.raises(Refused) as refused:
        call(Gated(lambda *_: [b"never"], gate, Random(1)))
    assert (refused.value.refusal.status, refused.value.refusal.kind) == (503, "overloaded")


def test_a_deadline_ends_the_wait() -> None:
    gate = Gate(1)
    gate.enter(None)
    with DeadlineRegion(0.0, SYSTEM_CLOCK), pytest.raises(Refused) as refused:
        call(Gated(lambda *_: [b"never"], gate))
    assert refused.value.refusal.kind == "deadline-exceeded"
