import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.deadline import detach
from mainstay.core.scope import Scope, back, enter
from mainstay.core.trace import (
    RANDOM,
    SAMPLED,
    Trace,
    arrive,
    current_trace,
    enter_trace,
    entered_trace,
    leave_trace,
    parse_traceparent,
    request_id_of,
    sample_below,
    tracestate_of,
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
        (b" \t" + header() + b"\t ", SAMPLED),
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
        b"\r" + header(),
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
    trace = arrive(Random(seed), text)
    again = parse_traceparent(trace.traceparent.encode())
    assert again == (trace.trace_id, trace.span_id, trace.flags)
    assert (trace.parent_id is None) == (parse_traceparent(text) is None)


def test_taken_over_keeps_trace_and_flags_and_makes_a_span() -> None:
    trace = arrive(Random(1), header(flags="00"))
    assert (trace.trace_id, trace.parent_id, trace.flags) == (TRACE, SPAN, 0)
    assert trace.span_id != SPAN


def test_two_traces_differ() -> None:
    rng = Random(1)
    assert arrive(rng).trace_id != arrive(rng).trace_id


def test_ids_are_never_zero() -> None:
    class Zeros(Random):
        def getrandbits(self, k: int, /) -> int:
            return 0

    trace = arrive(Zeros())
    assert parse_traceparent(trace.traceparent.encode()) is not None


class TracedScope(Scope):
    traced = True

    @property
    def trace(self) -> Trace:
        return MINE


MINE = arrive(Random(1))


def test_a_scope_leads_to_the_trace_of_what_runs_within_it() -> None:
    """From within further scopes too, until another trace is entered; and no longer than it is."""
    scope, other = TracedScope(), arrive(Random(2))
    scope.outer = None
    token = enter(scope)
    try:
        with detach():
            assert current_trace() is MINE
            entered = enter_trace(other)
            assert current_trace() is other
            leave_trace(entered)
        assert current_trace() is MINE
        assert entered_trace() is None
    finally:
        back(token)
    assert current_trace() is None


async def test_tasks_do_not_see_each_others_trace() -> None:
    async def one(seed: int) -> bool:
        mine = arrive(Random(seed))
        token = enter_trace(mine)
        await asyncio.sleep(0)
        same = current_trace() is mine
        leave_trace(token)
        return same and current_trace() is None

    assert all(await asyncio.gather(*(one(seed) for seed in range(20))))


@pytest.mark.parametrize(
    ("text", "sent_on"),
    [
        ("foo=1", "foo=1"),
        ("foo=1,bar=2", "foo=1,bar=2"),
        (" foo=1 ,\tbar=2 ", "foo=1,bar=2"),
        ("foo=1,,bar=2,", "foo=1,bar=2"),
        ("vendor@tenant=x y", "vendor@tenant=x y"),
        ("1tenant@v=1", "1tenant@v=1"),
        ("a*/_-0=!+<>~", "a*/_-0=!+<>~"),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        ("foo=1,bar=3,foo=2", "foo=1,bar=3"),
        ("foo", ""),
        ("foo=", ""),
        ("=1", ""),
        ("Foo=1", ""),
        ("foo=a=b", ""),
        ("foo =1", ""),
        ("foo@=1", "foo@=1"),
        ("foo@@bar@baz=1,1=2", "foo@@bar@baz=1,1=2"),
        ("@foo=1", ""),
        ("k" * 257 + "=1", ""),
        ("k" * 256 + "=" + "v" * 256, "k" * 256 + "=" + "v" * 256),
        ("foo=" + "v" * 257, ""),
        ("foo=é", ""),
        ("", ""),
    ],
)
def test_tracestate_goes_on_where_it_is_valid(text: str, sent_on: str) -> None:
    trace = arrive(Random(1), header(), text.encode())
    assert trace.tracestate == sent_on


def test_tracestate_means_nothing_without_its_parent() -> None:
    assert arrive(Random(1), header(version="ff"), b"foo=1").tracestate == ""


@settings(max_examples=500)
@given(st.binary(max_size=300))
def test_no_bytes_make_a_tracestate_that_is_not_one(text: bytes) -> None:
    """What is sent on is plain, and sending it on again changes nothing."""
    once = tracestate_of(text)
    assert once.isascii()
    assert "\n" not in once
    assert tracestate_of(once.encode()) == once


@pytest.mark.parametrize(
    ("text", "sent_on"),
    [
        (b"user=ann,tier=gold;ttl=5", "user=ann,tier=gold;ttl=5"),
        (b"k=" + b"v" * 8190, "k=" + "v" * 8190),
        (b"k=" + b"v" * 8191, ""),
        (b"k=v\r\nx-evil: 1", ""),
        ("k=é".encode(), ""),
        (None, ""),
    ],
)
def test_baggage_goes_on_as_it_came(text: bytes | None, sent_on: str) -> None:
    assert arrive(Random(1), None, None, text).baggage_out == sent_on


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        (b"5f3f6f3e-0d8c-4c1e-8a34-1f1c1b1a1918", True),
        (b"x" * 128, True),
        (b"x" * 129, False),
        (b"", False),
        (b"a b", False),
        (b'"}{', False),
        (b"a\n", False),
    ],
)
def test_a_request_id_is_plain(text: bytes, *, taken: bool) -> None:
    assert request_id_of(text) == (text.decode() if taken else None)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_a_trace_that_begins_here_is_sampled_by_its_id(rate: float) -> None:
    """The rule of OpenTelemetry's SDK, so that services decide alike about one trace."""
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

    rng, theirs = Random(5), TraceIdRatioBased(rate)
    traces = [arrive(rng, below=sample_below(rate)) for _ in range(500)]
    ours = [bool(one.flags & SAMPLED) for one in traces]
    asked = [theirs.should_sample(None, int(one.trace_id, 16), "x") for one in traces]
    assert ours == [one.decision is Decision.RECORD_AND_SAMPLE for one in asked]
    assert abs(sum(ours) - 500 * rate) < 50


def test_whoever_began_a_trace_has_decided() -> None:
    assert arrive(Random(1), header(flags="01"), below=0).flags == SAMPLED
    assert arrive(Random(1), header(flags="00"), below=sample_below(1.0)).flags == 0
