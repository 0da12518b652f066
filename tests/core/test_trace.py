import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.trace import (
    RANDOM,
    SAMPLED,
    current_trace,
    enter_trace,
    leave_trace,
    parse_traceparent,
    take_over,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def header(version: str = "00", trace: str = TRACE, span: str = SPAN, flags: str = "01") -> bytes:
    return f"{version}-{trace}-{span}-{flags}".encode()


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (header(), SAMPLED),
        (header(flags="00"), 0),
        (header(flags="03"), SAMPLED | RANDOM),
        (header(flags="ff"), SAMPLED | RANDOM),
        (header(version="cc"), SAMPLED),
        (header(version="cc") + b"-what-the-future-brings", SAMPLED),
    ],
)
def test_what_is_valid_is_taken_over(text: bytes, flags: int) -> None:
    assert parse_traceparent(text) == (TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        header(version="ff"),
        header(trace="0" * 32),
        header(span="0" * 16),
        header(trace=TRACE.upper()),
        header(trace=TRACE[:-1]),
        header(span=SPAN + "0"),
        header(flags="1"),
        header(flags="0x"),
        header() + b"-more",
        header() + b"-",
        header() + b"\n",
        b" " + header(),
        header(version="cc") + b".more",
        header(version="cc") + b"-" + b"x" * 600,
        header() + b"," + header(),
        "00-４bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".encode(),
    ],
)
def test_what_is_not_valid_is_not(text: bytes) -> None:
    assert parse_traceparent(text) is None


def test_a_hundred_thousand_mutations_never_raise() -> None:
    """Whatever bytes come, the answer is None or ids that are valid themselves."""
    rng = Random(20261121)
    taken = 0
    for _ in range(100_000):
        text = bytearray(header(version=rng.choice(("00", "01", "ff"))))
        for _ in range(rng.randrange(3)):
            text[rng.randrange(len(text))] = rng.randrange(256)
        if rng.random() < 0.2:
            text += rng.randbytes(rng.randrange(40))
        parsed = parse_traceparent(bytes(text))
        if parsed is not None:
            taken += 1
            assert int(parsed[0], 16)
            assert int(parsed[1], 16)
    assert 1_000 < taken < 99_000


@settings(max_examples=300)
@given(st.binary(max_size=700), st.integers())
def test_a_trace_is_always_made(text: bytes, seed: int) -> None:
    """What is sent on is valid, whatever came in; and a trace that was taken over is unchanged."""
    trace = take_over(text, Random(seed))
    again = parse_traceparent(trace.traceparent.encode())
    assert again == (trace.trace_id, trace.span_id, trace.flags)
    assert (trace.parent_id is None) == (parse_traceparent(text) is None)


def test_taken_over_keeps_trace_and_flags_and_makes_a_span() -> None:
    trace = take_over(header(flags="00"), Random(1))
    assert (trace.trace_id, trace.parent_id, trace.flags) == (TRACE, SPAN, 0)
    assert trace.span_id != SPAN


def test_two_traces_differ() -> None:
    rng = Random(1)
    assert take_over(None, rng).trace_id != take_over(None, rng).trace_id


def test_ids_are_never_zero() -> None:
    class Zeros(Random):
        def getrandbits(self, k: int, /) -> int:
            return 0

    trace = take_over(None, Zeros())
    assert parse_traceparent(trace.traceparent.encode()) is not None


async def test_tasks_do_not_see_each_others_trace() -> None:
    async def one(seed: int) -> bool:
        mine = take_over(None, Random(seed))
        token = enter_trace(mine)
        await asyncio.sleep(0)
        same = current_trace() is mine
        leave_trace(token)
        return same and current_trace() is None

    assert all(await asyncio.gather(*(one(seed) for seed in range(20))))
