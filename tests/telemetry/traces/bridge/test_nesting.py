"""Whose child a span is: within requests, tasks, threads, and what others attach."""

import asyncio
import contextvars
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as context_api
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from tests.telemetry.traces.kit import exchange, within

from mainstay.core.carrying import CarryingExecutor
from mainstay.core.trace import SAMPLED, arrive, current_trace
from mainstay.telemetry.traces.notes import notes_in

if TYPE_CHECKING:
    from tests.telemetry.traces.bridge.conftest import World


def current_id() -> str:
    return f"{trace.get_current_span().get_span_context().span_id:016x}"


def test_the_current_span_of_a_request_is_its_own(world: "World") -> None:
    with within(exchange()) as one:
        who = trace.get_current_span().get_span_context()
        assert (f"{who.trace_id:032x}", current_id()) == (one.trace.trace_id, one.trace.span_id)
        assert who.trace_flags.sampled
    assert not trace.get_current_span().get_span_context().is_valid


def test_spans_of_user_code_are_children_of_the_request(world: "World") -> None:
    with within(exchange()) as one:
        with world.tracer.start_as_current_span("outer") as outer:
            assert trace.get_current_span() is outer
            with world.tracer.start_as_current_span("inner"):
                pass
        after = current_id()
    assert world.one("outer").parent_id == one.trace.span_id == after
    assert world.one("inner").parent_id == world.one("outer").span_id
    assert {span.trace_id for span in world.spans} == {one.trace.trace_id}


def test_what_leaves_within_a_span_has_it_as_parent(world: "World") -> None:
    """Mainstay's own view is the same: calls that leave, and lines that are logged."""
    with within(exchange()) as one:
        with world.tracer.start_as_current_span("work"):
            seen = current_trace()
            headers: dict[str, str] = {}
            propagate.inject(headers)
        assert current_trace() is one.trace
    assert seen is not None
    made = world.one("work")
    assert (seen.trace_id, seen.span_id) == (one.trace.trace_id, made.span_id)
    assert seen.request_id == one.request_id
    assert headers["traceparent"] == seen.traceparent


def test_what_was_attached_within_a_request_counts_and_what_was_before_does_not(
    world: "World",
) -> None:
    with world.tracer.start_as_current_span("before"):
        with within(exchange()) as one:
            assert current_id() == one.trace.span_id
            other = trace.NonRecordingSpan(
                trace.SpanContext(5, 7, is_remote=True, trace_flags=trace.TraceFlags(SAMPLED))
            )
            token = context_api.attach(trace.set_span_in_context(other))
            assert current_id() == f"{7:016x}"
            seen = current_trace()
            assert seen is not None
            assert (seen.trace_id, seen.request_id) == (f"{5:032x}", one.request_id)
            context_api.detach(token)
            assert current_id() == one.trace.span_id
        assert current_id() != one.trace.span_id
    assert current_trace() is None


def test_a_value_that_is_attached_changes_no_span(world: "World") -> None:
    with within(exchange()) as one:
        token = context_api.attach(context_api.set_value("own", 1))
        assert (current_id(), current_trace()) == (one.trace.span_id, one.trace)
        with world.tracer.start_as_current_span("work"):
            assert context_api.get_value("own") == 1
        context_api.detach(token)
        assert context_api.get_value("own") is None
    assert world.one("work").parent_id == one.trace.span_id


def test_a_context_without_a_span_outside_of_a_request_has_no_trace(world: "World") -> None:
    token = context_api.attach(context_api.set_value("own", 1))
    assert current_trace() is None
    context_api.detach(token)


def test_a_span_without_a_request_begins_a_trace(world: "World") -> None:
    with world.tracer.start_as_current_span("job"):
        seen = current_trace()
    made = world.one("job")
    assert seen is not None
    assert (made.parent_id, made.trace_id, made.span_id) == (None, seen.trace_id, seen.span_id)


def test_a_span_without_a_request_is_sampled_as_declared(world: "World") -> None:
    tracer = world.provider_with(0).get_tracer("jobs")
    with tracer.start_as_current_span("job"), tracer.start_as_current_span("part") as part:
        assert not part.is_recording()
        seen = current_trace()
    assert world.spans == []
    assert seen is not None
    assert not seen.flags & SAMPLED


def test_a_span_that_was_sent_by_another_process_is_a_remote_parent(world: "World") -> None:
    arrived = propagate.extract({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    world.tracer.start_span("consume", context=arrived).end()
    made = world.one("consume")
    assert (made.trace_id, made.parent_id, made.remote) == ("a" * 32, "b" * 16, True)


def test_a_framework_that_serves_a_request_without_a_caller_keeps_its_ids(world: "World") -> None:
    """FastAPI makes a server span from the headers that it reads again."""
    with within(exchange()) as one:
        found = propagate.extract({})
        world.tracer.start_span("GET", context=found, kind=trace.SpanKind.SERVER).end()
    made = world.one("GET")
    assert (made.trace_id, made.parent_id) == (one.trace.trace_id, one.trace.span_id)


def test_an_explicitly_empty_context_begins_a_trace(world: "World") -> None:
    with within(exchange()) as one:
        world.tracer.start_span("own", context=context_api.Context()).end()
    assert world.one("own").trace_id != one.trace.trace_id


def test_baggage_that_arrived_is_found(world: "World") -> None:
    one = exchange()
    one.scope["mainstay.trace"] = one.trace._replace(baggage=b"tenant=blue,x=1")
    with within(one):
        assert baggage.get_all() == {"tenant": "blue", "x": "1"}


def test_spans_of_another_provider_are_children_of_the_request(world: "World") -> None:
    """Whoever set OpenTelemetry's SDK up keeps it; its sampling follows ours."""
    theirs = SdkProvider().get_tracer("theirs")
    for sampled in (True, False):
        with within(exchange(sampled=sampled)) as one:
            with theirs.start_as_current_span("work") as work:
                seen = current_trace()
                parent: Any = work
                assert work.is_recording() is sampled
                assert not sampled or f"{parent.parent.span_id:016x}" == one.trace.span_id
            assert seen is not None
            assert seen.span_id == f"{work.get_span_context().span_id:016x}"


@pytest.mark.parametrize("sampled", [True, False])
async def test_tasks_see_their_own_request(world: "World", *, sampled: bool) -> None:
    async def child(name: str) -> str:
        with world.tracer.start_as_current_span(name):
            await asyncio.sleep(0)
            found = current_trace()
            assert found is not None
            return found.trace_id

    @world.tracer.start_as_current_span("raises")
    async def raises() -> None:
        await asyncio.sleep(0)
        raise KeyError

    async def answer(number: int) -> None:
        one = exchange(sampled=sampled)
        one.scope["mainstay.trace"] = arrive(Random(number), below=int(sampled) << 64)
        with within(one):
            found = await asyncio.gather(*(child(f"{number}.{part}") for part in range(3)))
            assert set(found) == {one.trace.trace_id}
            with pytest.raises(KeyError):
                await raises()
            assert current_trace() is one.trace

    await asyncio.gather(*(answer(number) for number in range(20)))
    assert len(world.spans) == (80 if sampled else 0)


async def test_threads_and_executors_see_the_request_that_sent_them(world: "World") -> None:
    def work(name: str) -> None:
        with world.tracer.start_as_current_span(name):
            pass

    with within(exchange()) as one:
        await asyncio.to_thread(work, "to_thread")
        loop = asyncio.get_running_loop()
        with CarryingExecutor(1) as pool:
            await loop.run_in_executor(pool, work, "executor")
            pool.submit(work, "submitted").result(30)
            list(pool.map(work, ["mapped"]))
        with ThreadPoolExecutor(1) as foreign:
            await loop.run_in_executor(foreign, work, "foreign")
            copied = contextvars.copy_context()
            await loop.run_in_executor(foreign, copied.run, work, "copied")
        alone = threading.Thread(target=work, args=("alone",))
        alone.start()
        alone.join()
        taken = threading.Thread(target=contextvars.copy_context().run, args=(work, "taken"))
        taken.start()
        taken.join()
        task = asyncio.create_task(asyncio.to_thread(work, "task"))
    await task
    parents = {span.name: span.parent_id for span in world.spans}
    mine = one.trace.span_id
    # Without a pool of ours, and for a thread of one's own, the guide says what to do.
    assert parents == {
        "to_thread": mine, "executor": mine, "submitted": mine, "mapped": mine, "copied": mine,
        "task": mine, "taken": mine, "foreign": None, "alone": None,
    }  # fmt: skip


def continued(traceparent: str) -> tuple[int, int]:
    """Return whose child a span would be that begins in another process, as the guide says it."""
    arrived = propagate.extract({"traceparent": traceparent})
    who = trace.get_current_span(arrived).get_span_context()
    return who.trace_id, who.span_id


def test_a_process_goes_on_with_what_it_is_given(world: "World") -> None:
    with within(exchange()) as one:
        with world.tracer.start_as_current_span("report"):
            seen = current_trace()
            assert seen is not None
            # Begun anew, since a test has threads that a fork would not take along.
            spawning = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=spawning) as pool:
                found = pool.submit(continued, seen.traceparent).result(60)
        assert found == (int(one.trace.trace_id, 16), int(world.one("report").span_id, 16))


def test_a_span_without_a_sample_is_current_and_notes_nothing(world: "World") -> None:
    with within(exchange(sampled=False)) as one:
        with world.tracer.start_as_current_span("outer") as outer:
            assert trace.get_current_span() is outer
            outer.set_attribute("a", 1)
            outer.add_event("b")
            outer.record_exception(KeyError())
            outer.set_status(trace.StatusCode.ERROR)
            outer.update_name("c")
            assert not outer.is_recording()
            seen = current_trace()
        assert seen is one.trace
    notes = notes_in(one.scope)
    assert notes is None or (notes.attributes, notes.moments, notes.status) == ({}, [], 0)
    assert world.spans == []
