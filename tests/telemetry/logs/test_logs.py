import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.logs.hostile import VALUES
from tests.telemetry.logs.sinks import Kept, burst_of, logger_into, logs_into

from mainstay.core.clock import utc_text
from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.telemetry.logs import encoding
from mainstay.telemetry.logs.levels import INFO, NAMES, NUMBERS, WARNING, level_of
from mainstay.telemetry.logs.logger import Door, Logger
from mainstay.telemetry.logs.logs import LINE_BYTES_MAX, RESERVED
from mainstay.telemetry.logs.stamp import Stamp
from mainstay.telemetry.masking import MASKED, Masker
from mainstay.testing.clock import VirtualClock

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**11), 10**11) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip

ENCODERS = [encoding.encode_with_json, encoding.encode_with_orjson]


def test_a_line_says_who_when_and_what() -> None:
    kept = Kept()
    logger_into(kept).info("order placed", order_id="o-17", amount=12.5)
    assert kept.last() == {
        "timestamp": "2026-01-01T00:00:00.000Z",
        "level": "info",
        "event": "order placed",
        "logger": "shop.orders",
        "order_id": "o-17",
        "amount": 12.5,
        "service": "shop",
        "version": "v1",
        "replica": "shop-1",
        "environment": "test",
    }
    assert list(kept.last())[:4] == ["timestamp", "level", "event", "logger"]
    assert kept.calls == 1


def test_within_a_request_a_line_says_which() -> None:
    kept = Kept()
    trace = arrive(Random(7), request_id="r-1")
    token = enter_trace(trace)
    logger_into(kept).info("x")
    leave_trace(token)
    logger_into(kept).info("y")
    within, without = kept.lines()
    ids = {"trace_id": trace.trace_id, "span_id": trace.span_id, "request_id": "r-1"}
    assert {key: within[key] for key in ids} == ids
    assert not ids.keys() & without.keys()


def test_levels_below_the_declared_one_are_not_written() -> None:
    kept = Kept()
    log = logger_into(kept, level=WARNING)
    for name in NUMBERS:
        getattr(log, name)(name)
    assert [line["level"] for line in kept.lines()] == ["warning", "error", "critical"]


def test_every_method_says_its_level() -> None:
    kept = Kept()
    log = logger_into(kept, level=NUMBERS["debug"])
    for name in NUMBERS:
        getattr(log, name)(name)
    assert [line["level"] for line in kept.lines()] == list(NUMBERS)


@pytest.mark.parametrize(
    ("number", "name"),
    [(5, "debug"), (10, "debug"), (25, "info"), (30, "warning"), (35, "warning"), (49, "error"),
     (50, "critical"), (100, "critical"), (0, "debug"), (-3, "debug")],
)  # fmt: skip
def test_levels_of_others_fall_into_the_greatest_below(number: int, name: str) -> None:
    assert NAMES[level_of(number)] == name


def test_bound_fields_are_in_each_line_and_leave_the_first_logger_alone() -> None:
    kept = Kept()
    log = logger_into(kept)
    bound = log.bind(order=1).bind(user=2)
    bound.info("a", order=3)
    bound.warning("b")
    log.info("c")
    assert [(line.get("order"), line.get("user")) for line in kept.lines()] == [
        (3, 2),
        (1, 2),
        (None, None),
    ]


def fail_for_a_reason() -> None:
    try:
        raise KeyError("inner")  # noqa: TRY301  The case.
    except KeyError as error:
        raise ValueError("outer: password=hunter22") from error


def test_an_exception_is_a_text_with_its_cause() -> None:
    kept = Kept()
    log = logger_into(kept)
    try:
        fail_for_a_reason()
    except ValueError as error:
        log.exception("failed", order=7)
        log.info("also", exc_info=error)
        log.warning("triple", exc_info=(type(error), error, error.__traceback__))
    for line in kept.lines():
        assert line["exception"].startswith("Traceback (most recent call last)")
        assert "KeyError: 'inner'" in line["exception"]
        assert line["exception"].endswith("ValueError: outer: password=***")
        assert "exc_info" not in line
    log.error("none", exc_info=True)  # noqa: LOG014  There is none: that is the case.
    assert "exception" not in kept.last()


def test_a_long_exception_keeps_its_beginning_and_its_end() -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise RuntimeError("at the bottom " + "x" * 40_000 + "\nlast words")
        deeper(depth - 1)

    kept = Kept()
    try:
        deeper(300)
    except RuntimeError:
        logger_into(kept).exception("deep")
    text = kept.last()["exception"]
    assert len(text) < 17_000
    assert "at the bottom" in text
    assert text.endswith("last words")


def test_fields_are_masked() -> None:
    kept = Kept()
    logger_into(kept, masker=Masker(("shoe",))).info(
        "login password=hunter22", password="x1", user={"token": "y2"}, shoe=42
    )
    line = kept.last()
    assert line["event"] == "login password=***"
    assert (line["password"], line["user"], line["shoe"]) == (MASKED, {"token": MASKED}, MASKED)


def test_fields_named_as_ours_get_an_underscore() -> None:
    kept = Kept()
    logger_into(kept).info("x", **dict.fromkeys(RESERVED, 1))
    line = kept.last()
    assert line["service"] == "shop"
    assert {f"{key}_" for key in RESERVED} <= line.keys()


def test_an_event_may_be_anything() -> None:
    kept = Kept()
    log: Any = logger_into(kept)  # Any: what a careless caller does.
    for event in (ValueError("token=abc1"), 17, None, {"password": "x"}, b"bytes"):
        log.info(event)
    assert [line["event"] for line in kept.lines()] == [
        "ValueError: token=***",
        "17",
        "None",
        "{'password': '***'}",
        "bytes",
    ]


def test_a_line_that_is_too_long_is_shortened() -> None:
    kept = Kept()
    fields: dict[str, object] = {f"f{number}": "é" * 5000 for number in range(50)}
    logger_into(kept).info("x" * 5000, **fields)
    line = kept.last()
    assert len(kept.written) <= LINE_BYTES_MAX
    assert line["shortened"] is True
    assert line["event"] == "x" * 2000 + "..."
    assert line["f0"] == "é" * 200 + "..."
    assert line["service"] == "shop"


@given(event=st.text(max_size=200), fields=st.dictionaries(st.text(max_size=12), JSON, max_size=6))
@pytest.mark.parametrize("encode", ENCODERS)
def test_whatever_is_said_is_one_line_of_json(
    encode: Callable[[object], bytes], event: str, fields: dict[str, Any]
) -> None:
    """Equal to what json.dumps makes of the masked values, with either encoder."""
    kept = Kept()
    logs = logs_into(kept)
    masker = Masker()
    logs.log(INFO, 'any\nname"', event, fields)
    assert kept.written.count(b"\n") == 1
    line = kept.last()
    expected = masker.mapping({f"{k}_" if k in RESERVED else k: v for k, v in fields.items()})
    assert line["event"] == masker.text(event)
    assert line["logger"] == 'any\nname"'
    assert {key: line[key] for key in expected} == json.loads(json.dumps(expected))
    assert json.loads(encode(expected)) == json.loads(json.dumps(expected))
    assert b"\n" not in encode(expected)


@pytest.mark.parametrize("encode", ENCODERS)
@given(text=st.text(alphabet=st.characters(), max_size=30))
def test_any_text_is_encoded_as_json_dumps_does(
    encode: Callable[[object], bytes], text: str
) -> None:
    """Halves of surrogate pairs included, which no UTF-8 can hold."""
    assert json.loads(encode({text: text})) == json.loads(json.dumps({text: text}))
    assert json.loads(encode({"a": text + "\ud800"})) == {"a": text + "\ud800"}


@given(st.floats(0, 4e9))
def test_the_time_is_that_of_the_clock_room(wall_s: float) -> None:
    """The shortcut for a second's text says what ``utc_text`` says, back and forth."""
    stamp = Stamp()
    for at_s in (wall_s, wall_s + 0.4, wall_s + 1, wall_s):
        assert stamp.text(at_s).decode() == utc_text(at_s)


def test_a_flood_is_bounded_and_told_once_a_second() -> None:
    kept, clock = Kept(), VirtualClock()
    log = logger_into(kept, clock=clock, burst=burst_of(5))
    for _ in range(50):
        log.info("flood")
        log.error("flood too")
    # The first telling came with the first line that passed after a drop; none did yet.
    assert len(kept.lines()) == 10
    clock.advance(1.0)
    log.info("again")
    told = [line for line in kept.lines() if line["logger"] == "mainstay.logs"]
    assert [(line["lines"], line["of_level"], line["of_logger"]) for line in told] == [
        (45, "info", "shop.orders"),
        (45, "error", "shop.orders"),
    ]
    assert {line["level"] for line in told} == {"warning"}
    for _ in range(100):
        clock.advance(0.01)
        log.info("flood")
    seen = len([line for line in kept.lines() if line["logger"] == "mainstay.logs"])
    assert seen - len(told) <= 2


def test_one_flood_drowns_no_other_logger() -> None:
    kept = Kept()
    door = Door(logs_into(kept, burst=burst_of(2)))
    for _ in range(10):
        Logger("noisy", door).info("x")
    Logger("quiet", door).info("heard")
    Logger("noisy", door).error("heard too")
    own = [line["event"] for line in kept.lines() if line["logger"] != "mainstay.logs"]
    assert own == ["x", "x", "heard", "heard too"]


def test_what_was_dropped_is_told_at_the_end() -> None:
    kept = Kept()
    logs = logs_into(kept, burst=burst_of(1))
    for _ in range(4):
        logs.log(INFO, "a", "x", {})
    logs.close()
    assert kept.last()["lines"] == 3
    logs.close()
    assert len(kept.lines()) == 2


def test_ids_are_right_in_threads_executors_and_tasks() -> None:
    """Each line says the request in whose context it was said, and none outside of one."""
    kept = Kept()
    log = logger_into(kept)
    rng = Random(3)
    traces = [arrive(rng) for _ in range(8)]

    def in_request(number: int) -> None:
        token = enter_trace(traces[number])
        for _ in range(25):
            log.info("thread", number=number)
        leave_trace(token)
        log.info("outside", number=number)

    async def task(number: int) -> None:
        token = enter_trace(traces[number])
        background = asyncio.create_task(said("background", number))
        for _ in range(10):
            await asyncio.sleep(0)
            log.info("task", number=number)
        await asyncio.to_thread(log.info, "executor", number=number)
        leave_trace(token)
        await background

    async def said(event: str, number: int) -> None:
        await asyncio.sleep(0)
        log.info(event, number=number)

    async def tasks() -> None:
        await asyncio.gather(*(task(number) for number in range(8)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(in_request, range(8)))
        pool.submit(contextvars.copy_context().run, log.info, "outside", number=0).result()
    asyncio.run(tasks())
    lines = kept.lines()
    assert len(lines) == 8 * 26 + 1 + 8 * 12
    for line in lines:
        expected = None if line["event"] == "outside" else traces[line["number"]].trace_id
        assert line.get("trace_id") == expected


def test_four_threads_keep_their_order_and_their_lines_whole() -> None:
    kept = Kept()
    log = logger_into(kept)
    start = threading.Barrier(4)

    def say(thread: int) -> None:
        start.wait(10)
        for number in range(300):
            log.info("x", thread=thread, number=number)

    threads = [threading.Thread(target=say, args=(one,)) for one in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    for thread in range(4):
        said = [line["number"] for line in kept.lines() if line["thread"] == thread]
        assert said == list(range(300))


def test_no_line_raises_whatever_it_holds() -> None:
    """Each is written, with what can be shown of it."""
    kept = Kept()
    log = logger_into(kept)
    for value in VALUES:
        log.info(value)
        log.info("a", token=value, other=value)
        log.info("a", exc_info=value)
        log.bind(bound=value).error("a", nested={"password": value, "deep": [value]})
    lines = kept.lines()
    assert len(lines) == 4 * len(VALUES)
    assert {line["logger"] for line in lines} == {"shop.orders"}
