"""What OpenTelemetry's API notes on spans: the same as its SDK does."""

import asyncio
import enum
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from tests.telemetry.traces.kit import exchange, within

from mainstay.telemetry.traces.notes import Notes, notes_in
from mainstay.telemetry.traces.otlp import TEXT_CHARS_MAX
from mainstay.telemetry.traces.span import CLIENT, ERROR, INTERNAL, OK, UNSET, Scope
from mainstay.telemetry.traces.values import plain
from mainstay.testing.clock import START_WALL_S

if TYPE_CHECKING:
    from tests.telemetry.traces.bridge.conftest import World


class Colour(enum.StrEnum):
    RED = "red"


def test_a_span_says_what_was_noted(world: "World") -> None:
    before = world.tracer.start_span("before")
    link = trace.Link(before.get_span_context(), {"why": "x"})
    with world.tracer.start_as_current_span(
        "work", kind=SpanKind.CLIENT, attributes={"a": 1}, links=[link]
    ) as span:
        span.set_attributes({"b": ["x", "y"], "colour": Colour.RED})
        span.add_event("began", {"n": 1})
        span.update_name("renamed")
        world.clock.advance(0.25)
        assert span.is_recording()
    assert not span.is_recording()
    made = world.one("renamed")
    assert (made.kind, made.scope, made.status) == (CLIENT, Scope("shop", "1.0"), UNSET)
    assert made.attributes == {"a": 1, "b": ("x", "y"), "colour": "red"}
    assert [(one.name, one.attributes) for one in made.moments] == [("began", {"n": 1})]
    assert [one.span_id for one in made.links] == [before.trace.span_id]
    assert (made.start_s, made.end_s) == (START_WALL_S, START_WALL_S + 0.25)


def test_times_may_be_told(world: "World") -> None:
    span = world.tracer.start_span("work", start_time=5_000_000_000)
    span.add_event("x", timestamp=6_000_000_000)
    span.end(7_000_000_000)
    made = world.one("work")
    assert (made.start_s, made.moments[0].at_s, made.end_s) == (5.0, 6.0, 7.0)
    assert made.kind == INTERNAL


def test_only_the_first_end_counts(world: "World") -> None:
    span = world.tracer.start_span("work")
    span.end()
    span.end()
    assert len(world.spans) == 1


def test_an_error_that_passes_by_is_noted(world: "World") -> None:
    with pytest.raises(LookupError), world.tracer.start_as_current_span("work"):
        raise LookupError("no such item")
    with pytest.raises(LookupError), world.tracer.start_span("bare"):
        raise LookupError("no such item")
    for name in ("work", "bare"):
        made = world.one(name)
        assert (made.status, made.message) == (ERROR, "LookupError: no such item")
        [moment] = made.moments
        assert moment.name == "exception"
        assert moment.attributes["exception.type"] == "LookupError"
        assert moment.attributes["exception.message"] == "no such item"
        assert "test_spans.py" in str(moment.attributes["exception.stacktrace"])


async def test_cancellation_is_no_error(world: "World") -> None:
    async def work() -> None:
        with world.tracer.start_as_current_span("work"):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (world.one("work").status, world.one("work").moments) == (UNSET, [])


def test_errors_may_be_left_out(world: "World") -> None:
    with (
        pytest.raises(LookupError),
        world.tracer.start_as_current_span(
            "work", record_exception=False, set_status_on_exception=False
        ),
    ):
        raise LookupError
    assert (world.one("work").status, world.one("work").moments) == (UNSET, [])


def test_a_span_may_outlive_its_block(world: "World") -> None:
    with world.tracer.start_as_current_span("work", end_on_exit=False) as span:
        pass
    assert world.spans == []
    span.end()
    assert world.one("work")


def test_what_was_said_to_be_well_stays_so(world: "World") -> None:
    span = world.tracer.start_span("work")
    span.set_status(Status(StatusCode.ERROR, "first"))
    span.set_status(StatusCode.UNSET)
    span.set_status(StatusCode.ERROR, "second")
    assert (span.notes and span.notes.status, span.notes and span.notes.message) == (
        ERROR,
        "second",
    )
    span.set_status(StatusCode.OK)
    span.set_status(StatusCode.ERROR, "third")
    span.end()
    assert (world.one("work").status, world.one("work").message) == (OK, "")


async def test_functions_of_both_kinds_are_decorated(world: "World") -> None:
    @world.tracer.start_as_current_span("plain")
    def double(number: int) -> int:
        return 2 * number

    @world.tracer.start_as_current_span("awaited")
    async def triple(number: int) -> int:
        await asyncio.sleep(0)
        return 3 * number

    assert inspect.iscoroutinefunction(triple)
    assert double.__name__ == "double"
    assert (double(2), double(3), await triple(2)) == (4, 6, 6)
    assert [span.name for span in world.spans] == ["plain", "plain", "awaited"]


def test_use_span_of_the_api_works(world: "World") -> None:
    @world.tracer.start_as_current_span("child")
    def fail() -> None:
        raise LookupError("x")

    span = world.tracer.start_span("work")
    with pytest.raises(LookupError), trace.use_span(span, end_on_exit=True):
        fail()
    assert world.one("child").parent_id == world.one("work").span_id
    assert world.one("work").status == ERROR


@pytest.mark.parametrize("sampled", [True, False])
def test_the_span_of_a_request_notes_with_and_without_a_sample(
    world: "World", *, sampled: bool
) -> None:
    """A request without a sample may be kept at its end, with what the user said of it."""
    with within(exchange(sampled=sampled)) as one:
        span = trace.get_current_span()
        assert span.is_recording()
        span.set_attribute("order.id", 7)
        span.end()
        assert trace.get_current_span() is span
    notes = notes_in(one.scope)
    assert isinstance(notes, Notes)
    assert notes.attributes == {"order.id": 7}
    assert world.spans == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_made_plain_or_left_out(value: Any) -> None:
    shown = plain(value)
    if isinstance(value, bool | int | float):
        assert shown is value
    elif value is None or isinstance(value, dict):
        assert shown is None
    elif isinstance(shown, tuple):
        assert all(isinstance(one, bool | int | float | str) for one in shown)


def test_values_are_bounded_and_what_is_none_is_counted(world: "World") -> None:
    span = world.tracer.start_span("work", attributes={"long": "x" * 10**6})
    span.set_attribute("list", list(range(10**5)))
    span.set_attribute("none", None)
    span.set_attribute("object", object())  # type: ignore[arg-type]  # As careless code does.
    span.add_link(trace.INVALID_SPAN_CONTEXT)
    span.end()
    made = world.one("work")
    assert len(str(made.attributes["long"])) == TEXT_CHARS_MAX
    assert made.attributes["list"] == tuple(range(128))
    assert made.attributes["mainstay.lost"] == 2
    assert made.links == []
    assert set(made.attributes) == {"long", "list", "mainstay.lost"}


def test_a_long_stack_is_told_by_its_end(world: "World") -> None:
    def dig(depth: int) -> None:
        if depth == 0:
            raise LookupError("the bottom")
        dig(depth - 1)

    with pytest.raises(LookupError), world.tracer.start_as_current_span("work"):
        dig(300)
    told = str(world.one("work").moments[0].attributes["exception.stacktrace"])
    assert len(told) <= TEXT_CHARS_MAX
    assert told.rstrip().endswith("LookupError: the bottom")


def test_the_provider_flushes(world: "World") -> None:
    assert world.provider.force_flush()


class Raises(Exception):
    """An error that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError


class Evil(list[int]):
    """A list that can't be read."""

    def __getitem__(self, at: Any) -> Any:
        raise RuntimeError


class Named:
    """A name that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError


class Number(int):
    """A number that compares with nothing."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = int.__hash__


def test_nothing_of_the_program_raises_into_it(world: "World") -> None:
    """Law: a span takes what it can, and the program goes on."""
    odd: Any = "a"
    span: Any = world.tracer.start_span("odd", start_time=odd)
    span.set_attribute("evil", Evil([1]))
    span.set_attribute(Named(), 1)
    span.set_attribute("number", Number(5))
    span.add_event("event", {"evil": Evil([1])}, timestamp=odd)
    span.update_name(Named())
    span.end(end_time=10**40)
    with pytest.raises(Raises), world.tracer.start_as_current_span("raises"):
        raise Raises
    found = world.one("?")
    assert found.attributes == {"?": 1, "number": 5, "mainstay.lost": 1}
    assert type(found.attributes["number"]) is int
    assert found.start_s <= found.end_s <= world.clock.wall_s()
    assert world.one("raises").message == "Raises: can't be shown: RuntimeError"
