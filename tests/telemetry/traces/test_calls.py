"""Spans of calls that leave, made of the events that real policies and adapters emit."""

import asyncio
from random import Random
from typing import Any

import httpx
import pytest
from tests.telemetry.traces.kit import exchange, within

from mainstay import Breaker, Bulkhead, Http, Policy, Retry
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.stopping.background import Background, BackgroundEnded
from mainstay.service.outbound.adapters.http_clients.httpx import http_client
from mainstay.service.outbound.events import CallEnded
from mainstay.telemetry.traces.calls import Calls
from mainstay.telemetry.traces.client import is_failed
from mainstay.telemetry.traces.notes import Notes, notes_in
from mainstay.telemetry.traces.span import CLIENT, ERROR, INTERNAL, UNSET, Span
from mainstay.testing.clock import VirtualClock

SLOW_S = 1.0


class World:
    """A policy whose events are heard."""

    def __init__(self, *, spans: bool = True, **parts: Any) -> None:
        self.spans: list[Span] = []
        self.policy = Policy(name="payments", bulkhead=Bulkhead(), **parts)
        self.calls = Calls(put=self.spans.append, rng=Random(3), slow_s=SLOW_S, spans=spans)
        self.policy.events.add(self.calls.heard)
        self.policy.events.calls = spans

    def client(self, *statuses: int) -> Any:
        """Return a client of a server that answers these, one after the other."""
        left = list(statuses)
        transport = httpx.MockTransport(lambda _request: httpx.Response(left.pop(0)))
        base = Http(base_url="http://pay.example:8443")
        return http_client(self.policy, base, transport=transport)


def told(**changed: Any) -> CallEnded:
    given: dict[str, Any] = {
        "at_s": 10.0,
        "dependency": "orders",
        "system": "postgresql",
        "operation": "SELECT",
        "target": "",
        "server": None,
        "port": None,
        "status": None,
        "error": None,
        "span_id": "d" * 16,
        "took_s": 0.5,
    }
    return CallEnded(**{**given, **changed})


def heard(event: CallEnded, *, sampled: bool = True) -> tuple[list[Span], Notes | None]:
    world = World()
    with within(exchange(sampled=sampled)) as one:
        world.calls.heard(event)
    return world.spans, notes_in(one.scope)


def test_a_statement_is_a_span_by_the_conventions() -> None:
    [span], _ = heard(told())
    assert (span.name, span.kind, span.status) == ("SELECT orders", CLIENT, UNSET)
    assert (span.span_id, span.start_s, span.end_s) == ("d" * 16, 9.5, 10.0)
    assert span.attributes == {
        "mainstay.dependency": "orders",
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
    }


def test_a_call_of_grpc_is_a_span_by_the_conventions() -> None:
    event = told(system="grpc", operation="call", target="/shop.Cart/Get", status="UNAVAILABLE")
    [span], _ = heard(event)
    assert (span.name, span.status) == ("shop.Cart/Get", ERROR)
    assert span.attributes["rpc.service"] == "shop.Cart"
    assert span.attributes["rpc.method"] == "Get"
    assert span.attributes["rpc.response.status_code"] == "UNAVAILABLE"
    assert span.attributes["error.type"] == "UNAVAILABLE"


async def test_each_attempt_of_a_client_is_a_span_and_its_retry_a_moment() -> None:
    world = World(retry=Retry(attempts=2, backoff=(0.0001, 0.0002), budget=None))
    with within(exchange()) as one:
        async with world.client(503, 200) as client:
            answer = await client.get("/charge?card=4111")
    assert answer.status_code == 200
    first, second = world.spans
    for span in (first, second):
        assert (span.name, span.kind) == ("GET payments", CLIENT)
        assert (span.trace_id, span.parent_id) == (one.trace.trace_id, one.trace.span_id)
        assert span.attributes["url.full"] == "//pay.example:8443/charge"
        assert span.attributes["server.address"] == "pay.example"
    assert (first.status, second.status) == (ERROR, UNSET)
    assert first.attributes["http.response.status_code"] == 503
    notes = notes_in(one.scope)
    assert notes is not None
    [moment] = notes.moments
    assert moment.name == "mainstay.retried"
    assert moment.attributes["mainstay.dependency"] == "payments"
    assert moment.attributes["mainstay.attempt"] == 1


@pytest.mark.parametrize(
    ("changed", "noted"),
    [
        ({}, False),
        ({"took_s": 2.0}, True),
        ({"error": "ConnectFailed"}, True),
        ({"system": "http", "status": 503}, True),
        ({"system": "http", "status": 200}, False),
        ({"system": "grpc", "status": "OK"}, False),
        ({"error": "CancelledError"}, False),
    ],
)
def test_without_a_sample_only_what_failed_or_was_slow_is_noted(
    changed: dict[str, Any], *, noted: bool
) -> None:
    event = told(**changed)
    spans, notes = heard(event, sampled=False)
    assert spans == []
    calls = [] if notes is None else notes.calls
    assert len(calls) == noted
    assert is_failed(event) == (noted and event.took_s < SLOW_S)


async def test_a_guarded_function_is_a_span_too() -> None:
    """Nobody but its policy tells of it."""
    world = World()

    async def quote() -> int:
        await asyncio.sleep(0)
        return 7

    async def fails() -> None:
        raise OSError

    with within(exchange()):
        assert await world.policy.acall(quote) == 7
        with pytest.raises(OSError):  # noqa: PT011  It is the class that matters.
            await world.policy.acall(fails)
    well, wrong = world.spans
    assert (well.name, well.kind, well.status) == ("payments", INTERNAL, UNSET)
    assert well.attributes["mainstay.outcome"] == "success"
    assert (wrong.status, wrong.attributes["error.type"]) == (ERROR, "failure")


async def test_calls_of_many_tasks_are_told_apart() -> None:
    world = World()
    ones = [exchange() for _ in range(20)]
    for number, one in enumerate(ones):
        trace_id = f"{number + 1:032x}"
        one.scope["mainstay.trace"] = one.trace._replace(trace_id=trace_id)

    async def answer(one: Exchange, client: Any) -> None:
        with within(one):
            await asyncio.gather(client.get("/a"), client.get("/b"))

    async with world.client(*[200] * 40) as client:
        await asyncio.gather(*(answer(one, client) for one in ones))
    found = sorted(span.trace_id for span in world.spans)
    assert found == sorted([one.trace.trace_id for one in ones] * 2)


async def test_what_a_breaker_rejects_is_a_moment() -> None:
    world = World(breaker=Breaker(failures=1))
    with within(exchange()) as one:
        async with world.client(503, 200) as client:
            await client.get("/a")
            with pytest.raises(httpx.TransportError):
                await client.get("/a")
    notes = notes_in(one.scope)
    assert notes is not None
    names = [moment.name for moment in notes.moments]
    assert names == ["mainstay.circuit_changed", "mainstay.rejected"]
    assert notes.moments[0].attributes["mainstay.state"] == "open"
    assert len(world.spans) == 1


def test_outside_of_a_request_there_is_nothing_to_belong_to() -> None:
    world = World()
    world.calls.heard(told())
    assert world.spans == []


def test_where_calls_have_no_spans_decisions_are_noted_all_the_same() -> None:
    world = World(spans=False, retry=Retry(attempts=2, backoff=(0.0001, 0.0002), budget=None))

    def fails() -> None:
        raise OSError

    with within(exchange()) as one, pytest.raises(OSError):  # noqa: PT011  As above.
        world.policy.call(fails)
    notes = notes_in(one.scope)
    assert world.spans == []
    assert notes is not None
    assert [moment.name for moment in notes.moments] == ["mainstay.retried", "mainstay.gave_up"]


@pytest.mark.parametrize("sampled", [True, False])
async def test_work_in_the_background_is_a_child_of_its_request(*, sampled: bool) -> None:
    """What fails is kept, though its request has ended; in a task and in a thread."""
    world = World()
    background = Background(
        clock=VirtualClock(), events=world.policy.events, complain=lambda _text: None
    )

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError

    def works() -> None:
        return

    with within(exchange(sampled=sampled)) as one:
        background.run(fails)
        background.run(works)
    await background.finish_async(60)
    spans = {span.name.rpartition(".")[2]: span for span in world.spans}
    assert set(spans) == ({"fails", "works"} if sampled else {"fails"})
    failed = spans["fails"]
    assert (failed.parent_id, failed.status) == (one.trace.span_id, ERROR)
    assert failed.attributes.get("mainstay.kept") == (None if sampled else "error")


def test_the_name_of_work_is_told() -> None:
    world = World()
    with within(exchange()):
        world.calls.heard(BackgroundEnded(at_s=5.0, work="send", error=None, took_s=1.0))
    assert (world.spans[0].name, world.spans[0].start_s) == ("send", 4.0)
