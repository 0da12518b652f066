"""The exporter against a real receiver on loopback."""

import contextlib
import gc
import os
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from tests.forking import fork
from tests.telemetry.traces.kit import MASKS, Heard, span
from tests.telemetry.traces.receiver import Receiver, attributes_of, receiving

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.telemetry.traces.collector import PAUSE_MAX_S, Collector, CollectorAway, pause_s
from mainstay.telemetry.traces.endpoint import Endpoint
from mainstay.telemetry.traces.exporter import (
    ATTEMPTS_MAX,
    BATCH_MAX,
    QUEUE_MAX,
    Exporter,
    SpansDropped,
)
from mainstay.telemetry.traces.otlp import Masks
from mainstay.telemetry.traces.timed import Timed
from mainstay.testing.clock import VirtualClock

LONG_S = 60.0


def exporter_to(
    port: int, heard: Heard | None = None, *, timeout_s: float = 30.0, **changed: Any
) -> Exporter:
    endpoint = Endpoint(
        host="127.0.0.1", port=port, path="/v1/traces", secure=False, headers={"x-key": "k"}
    )
    given: dict[str, Any] = {
        "connect": lambda: Collector(endpoint, timeout_s=timeout_s),
        "resource": lambda: {"service.name": "shop", "service.instance.id": str(os.getpid())},
        "masks": MASKS,
        "clock": SYSTEM_CLOCK,
        "rng": Random(1),
        "events": (heard or Heard()).listeners,
        "interval_s": 0.01,
        "pauses": lambda *_: 0.001,
    }
    return Exporter(**{**given, **changed})


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_spans_arrive_once_and_in_their_order() -> None:
    with receiving() as receiver:
        exporter = exporter_to(receiver.port)
        for number in range(BATCH_MAX + 40):
            exporter.put(span(attributes={"number": number}))
        assert exporter.flush(LONG_S)
        numbers = [attributes_of(one)["number"] for one in receiver.spans]
        assert numbers == list(range(BATCH_MAX + 40))
        assert {one["service.name"] for one in receiver.resources} == {"shop"}
        [asked] = {(one["path"], one["x-key"], one["Content-Type"]) for one in receiver.asked}
        assert asked == ("/v1/traces", "k", "application/x-protobuf")
        assert (exporter.sent, exporter.dropped) == (BATCH_MAX + 40, {})


def test_a_span_leaves_without_a_flush() -> None:
    with receiving() as receiver:
        exporter_to(receiver.port).put(span())
        assert len(receiver.wait_for(1)) == 1


def test_a_flush_with_nothing_to_send_is_done() -> None:
    assert exporter_to(closed_port()).flush(0.0)


def test_a_collector_that_hangs_holds_up_nobody() -> None:
    """Putting never waits, the queue is bounded, and what did not fit is counted and told."""
    heard = Heard()
    with receiving(gate=_closed_gate()) as receiver:
        exporter = exporter_to(receiver.port, heard)
        total = QUEUE_MAX + 3 * BATCH_MAX
        for number in range(total):
            exporter.put(span(attributes={"number": number}))
        assert len(exporter._waiting) <= QUEUE_MAX
        assert not exporter.flush(0.05)
        receiver.gate.set()
        assert exporter.flush(LONG_S)
        lost = exporter.dropped["queue"]
        assert lost >= total - QUEUE_MAX - BATCH_MAX
        assert exporter.sent == len(receiver.spans) == total - lost
    _until(lambda: sum(_told(heard).values()) == lost)
    assert set(_told(heard)) == {"queue"}


def test_a_collector_that_is_away_costs_the_batch_and_is_told() -> None:
    heard = Heard()
    exporter = exporter_to(closed_port(), heard)
    exporter.put(span())
    exporter.put(span())
    assert exporter.flush(LONG_S)
    assert exporter.dropped == {"away": 2}
    _until(lambda: _told(heard) == {"away": 2})


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_succeed_later_is_tried_again(status: int) -> None:
    with receiving(statuses=[status, status, 200]) as receiver:
        exporter = exporter_to(receiver.port)
        exporter.put(span())
        assert len(receiver.wait_for(1)) == 1
        assert len(receiver.asked) == 3
        assert exporter.dropped == {}


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 301])
def test_what_is_refused_is_not_tried_again(status: int) -> None:
    with receiving(statuses=[status]) as receiver:
        exporter = exporter_to(receiver.port)
        exporter.put(span())
        assert exporter.flush(LONG_S)
        assert exporter.dropped == {"refused": 1}
        assert len(receiver.asked) == 1


def test_attempts_are_bounded() -> None:
    with receiving(statuses=[503]) as receiver:
        exporter = exporter_to(receiver.port)
        exporter.put(span())
        _until(lambda: exporter.dropped == {"away": 1})
        assert len(receiver.asked) == ATTEMPTS_MAX


def test_spans_that_a_collector_rejected_are_counted() -> None:
    with receiving(rejected=2) as receiver:
        exporter = exporter_to(receiver.port)
        for _ in range(3):
            exporter.put(span())
        assert exporter.flush(LONG_S)
        assert exporter.dropped == {"refused": 2 * len(receiver.asked)}


def test_a_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    with receiving(headers={"Connection": "close"}) as receiver:
        exporter = exporter_to(receiver.port)
        for count in (1, 2, 3):
            exporter.put(span())
            assert exporter.flush(LONG_S)
            assert len(receiver.spans) == count
        assert exporter.dropped == {}


@pytest.mark.parametrize("rejected", [-1, 4, 2**62])
def test_a_collector_can_not_refuse_more_than_it_got(rejected: int) -> None:
    with receiving(rejected=rejected) as receiver:
        exporter = exporter_to(receiver.port)
        for _ in range(3):
            exporter.put(span())
        assert exporter.flush(LONG_S)
        assert (exporter.sent, exporter.dropped) == (0, {"refused": 3})


def test_a_span_that_can_not_be_written_ends_nothing_and_is_counted_and_told() -> None:
    def exits(attributes: Mapping[str, object]) -> Mapping[str, object]:
        if "token" in attributes:
            raise SystemExit(3)
        return attributes

    heard, said = Heard(), list[str]()
    with receiving() as receiver:
        masks = Masks(exits, MASKS.text)
        exporter = exporter_to(receiver.port, heard, complain=said.append, masks=masks)
        for number in range(3):
            exporter.put(span(name="broken", vendors=b"a=b", trace_id="no hex"))
            exporter.put(span(name="broken", attributes={"token": 1}))
            exporter.put(span(name=f"whole {number}"))
        assert exporter.flush(LONG_S)
        assert [one.name for one in receiver.spans] == ["whole 0", "whole 1", "whole 2"]
        assert exporter.dropped == {"broken": 6}
        _until(lambda: _told(heard) == {"broken": 6})
    assert said == ["mainstay: 1 spans are lost by a ValueError\n"]


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(host="a..b", port=1, path="/", secure=False),
        Endpoint(host="a" * 70, port=1, path="/", secure=False),
        Endpoint(host="127.0.0.1", port=1, path="/\u20ac", secure=False),
        Endpoint(host="127.0.0.1", port=1, path="/", secure=False, headers={"a": "\u20ac"}),
        Endpoint(host="127.0.0.1", port=1, path="/", secure=False, headers={"a b\n": "x"}),
        Endpoint(host="127.0.0.1", port=2**40, path="/", secure=False),
    ],
)
def test_an_endpoint_that_can_be_none_ends_nothing(endpoint: Endpoint) -> None:
    """They are refused at the start; this is for what was forgotten there."""
    exporter = exporter_to(1, connect=lambda: Collector(endpoint))
    for _ in range(2):
        exporter.put(span())
        assert exporter.flush(LONG_S)
    assert sum(exporter.dropped.values()) == 2


def test_what_breaks_around_a_batch_costs_the_batch() -> None:
    def resource() -> dict[str, Any]:
        if not broken:
            broken.append(True)
            raise SystemExit(3)
        return {"service.name": "shop"}

    broken: list[bool] = []
    with receiving() as receiver:
        exporter = exporter_to(receiver.port, resource=resource, complain=lambda _: None)
        exporter.put(span())
        assert exporter.flush(LONG_S)
        exporter.put(span(name="next"))
        assert exporter.flush(LONG_S)
        assert [one.name for one in receiver.spans] == ["next"]
        assert exporter.dropped == {"broken": 1}


def test_a_listener_that_exits_ends_nothing() -> None:
    def leave(_: object) -> None:
        raise SystemExit(3)

    heard = Heard()
    heard.listeners.add(leave)
    exporter = exporter_to(closed_port(), heard, complain=lambda _: None)
    for _ in range(2):
        exporter.put(span())
        assert exporter.flush(LONG_S)
    _until(lambda: _told(heard) == {"away": 2})


def test_an_answer_that_comes_a_byte_at_a_time_is_bounded_as_a_whole() -> None:
    """Law: how long a collector may hold the thread does not depend on how often it says a bit."""
    clock = VirtualClock()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        timed = Timed(ours, clock)
        timed.until_s = clock.monotonic_s() + 1.0
        timed.sendall(b"x")
        reader = timed.makefile("rb")
        for _ in range(4):
            theirs.sendall(b"y")
            assert reader.read1(1) == b"y"
            clock.advance(0.24)
        clock.advance(0.1)
        theirs.sendall(b"z")
        with pytest.raises(TimeoutError):
            reader.read1(1)
        with pytest.raises(TimeoutError):
            timed.sendall(b"x")
        reader.close()


def test_a_collector_that_drips_is_away() -> None:
    with dripping() as port:
        endpoint = Endpoint(host="127.0.0.1", port=port, path="/", secure=False)
        collector = Collector(endpoint, timeout_s=0.3)
        with pytest.raises(CollectorAway):
            collector.send(b"x")
        collector.close()


@contextmanager
def dripping() -> Iterator[int]:
    """Run a server that answers with a byte every 20 ms, for a hundred times its client's time."""

    def serve() -> None:
        asked, _ = server.accept()
        with asked, contextlib.suppress(OSError):
            asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n")
            while not done.wait(0.02):
                asked.sendall(b"x")

    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(30)


def test_pauses_grow_to_a_bound_and_heed_what_the_collector_asks() -> None:
    rng = Random(1)
    assert all(0.5 <= pause_s(1, None, rng) <= 1.0 for _ in range(100))
    assert all(PAUSE_MAX_S / 2 <= pause_s(10**6, None, rng) <= PAUSE_MAX_S for _ in range(100))
    assert pause_s(1, 7.0, rng) == 7.0
    assert pause_s(1, 3600.0, rng) == PAUSE_MAX_S


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_that_forks_off_sends_its_own_spans_and_no_others() -> None:
    """Nothing is sent twice, and the child has a thread and an instance id of its own."""
    with receiving(gate=_closed_gate()) as receiver:
        exporter = exporter_to(receiver.port)
        exporter.put(span(name="parent"))
        _until(lambda: exporter._sending)
        exporter.put(span(name="waits"))
        child = fork()
        if child == 0:
            exporter.put(span(name="child"))
            os._exit(0 if exporter.flush(LONG_S) and exporter.sent == 1 else 1)
        receiver.gate.set()
        assert os.waitpid(child, 0)[1] == 0
        assert exporter.flush(LONG_S)
        assert sorted(one.name for one in receiver.spans) == ["child", "parent", "waits"]
        names = {
            resource["service.instance.id"]: [
                one.name
                for found in request.resource_spans
                for scope in found.scope_spans
                for one in scope.spans
            ]
            for request, resource in zip(receiver.requests, receiver.resources, strict=True)
            if resource["service.instance.id"] == str(child)
        }
        assert names == {str(child): ["child"]}


def test_an_exporter_that_never_began_is_collected() -> None:
    """The hook of forks holds nobody."""
    gone = weakref.ref(exporter_to(closed_port()))
    gc.collect()
    assert gone() is None


def _closed_gate() -> Any:
    return Receiver().gate


def _told(heard: Heard) -> dict[str, int]:
    told: dict[str, int] = {}
    for event in heard.events:
        assert isinstance(event, SpansDropped)
        told[event.reason] = told.get(event.reason, 0) + event.count
    return told


def _until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    last_s = SYSTEM_CLOCK.monotonic_s() + within_s
    while not condition():
        assert SYSTEM_CLOCK.monotonic_s() < last_s, "it never came to be"
        pause(0.002)
