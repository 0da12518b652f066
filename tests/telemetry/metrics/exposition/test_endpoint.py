import asyncio
import gzip
import threading
from collections import Counter

import pytest
from tests.telemetry.metrics.parsing import parse

from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.exposition.endpoint import ASKING_MAX, Endpoint, FiguresUnavailable
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


async def test_a_storm_of_scrapers_begins_few_threads() -> None:
    """Law: strangers choose neither how many threads there are nor how many answers are made."""
    registry, endpoint = made()
    begun, go_on = threading.Event(), threading.Event()

    def read() -> float:
        begun.set()
        return float(go_on.wait(30))

    def ours() -> int:
        return sum(one.name == "mainstay-metrics" for one in threading.enumerate())

    before = ours()
    registry.gauge("x", "x", read=read)
    asked = [asyncio.create_task(endpoint.answer_async()) for _ in range(800)]
    await asyncio.to_thread(begun.wait, 30)
    done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    assert len(waiting) <= ASKING_MAX
    assert ours() - before <= ASKING_MAX
    assert {one.result().status for one in done} == {503}
    assert endpoint.answer().status == 503, "nor do threads of a WSGI server wait for them"
    go_on.set()
    statuses = Counter(one.status for one in await asyncio.gather(*asked))
    assert statuses == {200: ASKING_MAX, 503: 800 - ASKING_MAX}
    assert (await endpoint.answer_async()).status == 200


async def test_who_leaves_keeps_a_place_until_the_answer_is_made() -> None:
    """Law: scrapers that hang up at once begin no more threads than others."""
    registry, endpoint = made()
    begun, go_on = threading.Event(), threading.Event()

    def read() -> float:
        begun.set()
        return float(go_on.wait(30))

    registry.gauge("x", "x", read=read)
    for _ in range(ASKING_MAX):
        asked = asyncio.create_task(endpoint.answer_async())
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
    await asyncio.to_thread(begun.wait, 30)
    assert (await endpoint.answer_async()).status == 503
    go_on.set()
    status = 503
    while status == 503:
        await asyncio.sleep(0)
        status = (await endpoint.answer_async()).status
    assert status == 200


async def test_without_a_thread_to_be_had_a_scraper_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    _, endpoint = made()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none_left)
        for _ in range(ASKING_MAX + 1):
            assert (await endpoint.answer_async()).status == 503
    assert (await endpoint.answer_async()).status == 200


def test_a_forked_child_waits_for_none_of_its_parents_scrapers() -> None:
    _, endpoint = made()
    assert endpoint._one.acquire(blocking=False)
    while endpoint._places.acquire(blocking=False):
        pass
    endpoint.forget()
    assert endpoint.answer().status == 200
