import asyncio
import gzip
import threading

from tests.telemetry.metrics.parsing import parse

from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.exposition.endpoint import Endpoint, FiguresUnavailable
from mainstay.telemetry.metrics.exposition.negotiation import OPENMETRICS_TYPE, TEXT_TYPE
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.snapshot import Snapshot
from mainstay.testing import VirtualClock

OPENMETRICS = b"application/openmetrics-text"


def made() -> tuple[Registry, Endpoint]:
    registry = Registry()
    return registry, Endpoint(registry.snapshot, registry.exemplars, clock=VirtualClock())


def test_the_answer_is_in_the_format_that_was_asked_for() -> None:
    registry, endpoint = made()
    registry.counter("orders", "x").inc()
    old, new = endpoint.answer(), endpoint.answer(OPENMETRICS)
    assert (old.status, dict(old.headers)[b"content-type"]) == (200, TEXT_TYPE)
    assert (new.status, dict(new.headers)[b"content-type"]) == (200, OPENMETRICS_TYPE)
    assert b"orders_total 1.0\n" in old.body
    assert new.body.endswith(b"# EOF\n")


def test_it_is_packed_where_it_may_be() -> None:
    registry, endpoint = made()
    registry.counter("orders", "x").inc()
    packed = endpoint.answer(OPENMETRICS, b"gzip")
    assert dict(packed.headers)[b"content-encoding"] == b"gzip"
    assert gzip.decompress(packed.body) == endpoint.answer(OPENMETRICS).body
    assert b"content-encoding" not in dict(endpoint.answer(OPENMETRICS, b"identity").headers)


def test_an_exemplar_is_told_with_the_time_of_day() -> None:
    registry = Registry()
    clock = VirtualClock()
    endpoint = Endpoint(registry.snapshot, registry.exemplars, clock=clock)
    latency = registry.histogram("latency", "x", labels=("route",)).labels("/a")
    latency.observe(0.02)
    latency.exemplify(Exemplar(0.02, "c" * 32, clock.monotonic_s()))
    told = endpoint.answer(OPENMETRICS).body.decode()
    samples = [sample for family in parse(told, openmetrics=True) for sample in family.samples]
    (exemplar,) = (one.exemplar for one in samples if one.exemplar)
    assert exemplar.labels == {"trace_id": "c" * 32}
    assert abs(float(exemplar.timestamp) - clock.wall_s()) < 0.01


def test_who_can_not_be_answered_now_is_asked_to_come_again() -> None:
    def collect() -> Snapshot:
        raise FiguresUnavailable("busy")

    answer = Endpoint(collect, dict).answer()
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"1")


async def test_the_event_loop_goes_on_while_an_answer_is_made() -> None:
    """Law: it is made beside the loop: what it waits for here, only the loop can do."""
    registry, endpoint = made()
    begun, turned = threading.Event(), threading.Event()

    def read() -> float:
        begun.set()
        return float(turned.wait(30))

    registry.gauge("turned", "x", read=read)
    asked = asyncio.create_task(endpoint.answer_async())
    await asyncio.to_thread(begun.wait, 30)
    turned.set()
    answer = await asked
    assert b"turned 1.0\n" in answer.body


async def test_one_is_answered_after_another() -> None:
    registry, endpoint = made()
    at_once, most = 0, 0
    lock = threading.Lock()

    def read() -> float:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        with lock:
            at_once -= 1
        return 0.0

    registry.gauge("x", "x", read=read)
    answers = await asyncio.gather(*(endpoint.answer_async() for _ in range(8)))
    assert [one.status for one in answers] == [200] * 8
    assert most == 1


def test_a_forked_child_waits_for_none_of_its_parents_scrapers() -> None:
    _, endpoint = made()
    assert endpoint._one.acquire(blocking=False)
    endpoint.forget()
    assert endpoint.answer().status == 200
