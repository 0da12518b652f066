"""What gRPC channels keep beside the laws of all clients: statuses, metadata, streams."""

import asyncio
import contextlib
import gc
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.
import pytest
from tests.contract.stores.servers import LONG_S, Grpc, until

from mainstay import Breaker, Bulkhead, Policy, Retry, deadline
from mainstay.core.errors import (
    BulkheadFull,
    CircuitOpen,
    ConfigInvalid,
    MainstayError,
    PolicyMisused,
)
from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.service.outbound.adapters.errors import ConnectFailed
from mainstay.service.outbound.adapters.grpc_clients import async_grpc_channel, grpc_channel
from mainstay.service.outbound.adapters.outcome import NotServed, ServerFailed
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder

ABORT = "/shop.Test/Abort"


@pytest.fixture
def policy(recorder: Recorder) -> Policy:
    one = Policy(
        name="payments",
        bulkhead=Bulkhead(limit=2),
        breaker=Breaker(failures=50),
        retry=Retry(backoff=(0.001, 0.002), jitter="none", budget=None),
    )
    one.events.add(recorder)
    return one


@pytest.fixture
def channel(policy: Policy, rpc: Grpc) -> Iterator[Any]:
    made = grpc_channel(policy, rpc.target, repeatable=(ABORT,))
    yield made
    made.close()


@asynccontextmanager
async def opened(policy: Policy, rpc: Grpc) -> AsyncIterator[Any]:
    made = async_grpc_channel(policy, rpc.target, repeatable=(ABORT,))
    yield made
    await made.close()


@pytest.fixture(params=["sync", "async"])
def call(
    request: pytest.FixtureRequest, policy: Policy, rpc: Grpc
) -> Callable[[str, bytes], bytes]:
    """Make one call, in either kind."""

    def sync_call(method: str, message: bytes) -> bytes:
        with grpc_channel(policy, rpc.target, repeatable=(ABORT,)) as made:
            answer: bytes = made.unary_unary(method)(message)
            return answer

    def async_call(method: str, message: bytes) -> bytes:
        async def one() -> bytes:
            async with opened(policy, rpc) as made:
                answer: bytes = await made.unary_unary(method)(message)
                return answer

        return asyncio.run(one())

    return sync_call if request.param == "sync" else async_call


def last_seen(channel: Any) -> dict[str, Any]:
    last: dict[str, Any] = seen(channel)["calls"][-1]
    return last


def seen(channel: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(channel.unary_unary("/shop.Test/Seen")(b""))
    return found


@pytest.mark.parametrize(
    "code", ["NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED", "ABORTED", "UNIMPLEMENTED"]
)
def test_what_is_said_about_the_request_is_an_answer(
    code: str, call: Callable[[str, bytes], bytes], recorder: Recorder
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(ABORT, f"{code},0,".encode())
    assert not isinstance(caught.value, MainstayError)
    assert caught.value.code().name == code
    assert recorder.count(Attempted, outcome="failure") == 0


@pytest.mark.parametrize("code", ["UNAVAILABLE", "UNKNOWN", "INTERNAL", "DATA_LOSS"])
def test_what_is_said_about_the_server_is_a_failure(
    code: str, call: Callable[[str, bytes], bytes], recorder: Recorder
) -> None:
    with pytest.raises(ServerFailed) as caught:
        call(ABORT, f"{code},0,".encode())
    assert caught.value.status == code
    assert isinstance(caught.value, grpc.RpcError)
    assert caught.value.code().name == code
    assert recorder.count(Attempted, outcome="failure") == 3


def test_only_what_may_be_repeated_is(
    call: Callable[[str, bytes], bytes], rpc: Grpc, recorder: Recorder
) -> None:
    rpc.restart()  # It counts how often it has failed.
    assert call(ABORT, b"UNAVAILABLE,2,") == b"at last"
    assert recorder.count(Retried) == 2
    recorder.clear()
    with pytest.raises(ServerFailed):
        call("/shop.Other/Abort", b"UNAVAILABLE,0,")
    assert recorder.count(Retried) == 0


@pytest.mark.parametrize(
    "words",
    [
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.9:5432: refused",
        "DNS resolution failed for db.internal",
        "errors resolving db.internal:5432: [not found]",
    ],
)
def test_a_servers_word_that_it_could_not_connect_is_not_ours(
    words: str, call: Callable[[str, bytes], bytes], recorder: Recorder
) -> None:
    """A server relays what it heard from one of its own: the call arrived, and is not repeated."""
    with pytest.raises(ServerFailed):
        call("/shop.Test/Relay", words.encode())
    assert recorder.count(Attempted) == 1


def test_what_found_no_connection_is_tried_again_whatever_it_is(
    policy: Policy, recorder: Recorder
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        target = f"127.0.0.1:{taken.getsockname()[1]}"
    with grpc_channel(policy, target) as made, pytest.raises(ConnectFailed):
        made.unary_unary("/shop.Other/Charge")(b"")
    assert recorder.count(Attempted) == 3


def test_pushback_is_heeded(call: Callable[[str, bytes], bytes], recorder: Recorder) -> None:
    """A server that asks to wait is asked again, even for what else is not repeated."""
    with pytest.raises(NotServed):
        call("/shop.Other/Abort", b"RESOURCE_EXHAUSTED,0,20")
    pauses = [one.pause_s for one in recorder.of(Retried)]
    assert len(pauses) == 2
    assert min(pauses) >= 0.02


@pytest.mark.parametrize("pushback", ["", "-1", "soon"])
def test_without_pushback_a_spent_quota_is_not_asked_again(
    pushback: str, call: Callable[[str, bytes], bytes], recorder: Recorder
) -> None:
    with pytest.raises(NotServed):
        call(ABORT, f"RESOURCE_EXHAUSTED,0,{pushback}".encode())
    assert recorder.count(Retried) == 0


def test_what_is_left_leaves_as_the_deadline(channel: Any) -> None:
    echo = channel.unary_unary("/shop.Test/Echo")
    echo(b"1")
    # gRPC's core rounds what it sends up to a whole number of its units.
    assert 25 < last_seen(channel)["left_s"] <= 31
    with deadline(5):
        echo(b"1")
    assert 1 < last_seen(channel)["left_s"] <= 5.1
    with deadline(5):
        echo(b"1", timeout=2)
    assert 0 < last_seen(channel)["left_s"] <= 2.1


def test_the_trace_goes_along(channel: Any) -> None:
    echo = channel.unary_unary("/shop.Test/Echo")
    trace = arrive(Random(1))
    token = enter_trace(trace)
    try:
        echo(b"1")
        sent = last_seen(channel)["metadata"]["traceparent"]
        assert sent == trace.traceparent
        echo(b"1", metadata=(("traceparent", "mine"),))
        assert last_seen(channel)["metadata"]["traceparent"] == "mine"
    finally:
        leave_trace(token)
    echo(b"1")
    assert "traceparent" not in last_seen(channel)["metadata"]


def test_calls_of_other_forms_work(channel: Any) -> None:
    echo = channel.unary_unary("/shop.Test/Echo")
    answer, made = echo.with_call(b"1")
    assert (answer, made.code().name) == (b"1", "OK")
    assert echo.future(b"2").result() == b"2"


def test_a_stream_holds_its_place_to_its_end(channel: Any, policy: Policy) -> None:
    stream = channel.unary_stream("/shop.Test/Stream")
    first, second = stream(b"2,hang"), stream(b"2,hang")
    assert (next(first), next(second)) == (b"0", b"0")
    assert policy.stats().in_flight == 2
    with pytest.raises(BulkheadFull):
        list(stream(b"1,"))
    first.cancel()
    until(lambda: policy.stats().in_flight == 1)
    second.cancel()
    until(lambda: policy.stats().in_flight == 0)
    assert policy.stats().failures_in_a_row == 0
    assert list(stream(b"3,")) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("parts", [0, 1])
def test_a_stream_that_is_thrown_away_ends(
    parts: int, channel: Any, policy: Policy, rpc: Grpc
) -> None:
    """Before or after something came; what a server sends to nobody costs its place and ours."""
    for _ in range(2):
        stream = channel.unary_stream("/shop.Test/Stream")(b"1,hang")
        assert [next(stream) for _ in range(parts)] == [b"0"] * parts
    del stream
    until(lambda: collected(policy) == 0)
    assert policy.stats().failures_in_a_row == 0
    # The server heard of it, too: before that, its threads would be as many as there were streams.
    until(lambda: seen(channel)["streams"] == 0)


def test_a_stream_that_fails_counts_although_nobody_holds_it(channel: Any, policy: Policy) -> None:
    for _ in range(20):
        with contextlib.suppress(grpc.RpcError):
            list(channel.unary_stream("/shop.Test/Stream")(b"1,INTERNAL"))
    until(lambda: policy.stats().failures_in_a_row == 20)


def collected(policy: Policy) -> int | None:
    gc.collect()
    return policy.stats().in_flight


def test_a_stream_that_fails_in_its_middle_is_a_failure(channel: Any, policy: Policy) -> None:
    stream = channel.unary_stream("/shop.Test/Stream")
    with pytest.raises(grpc.RpcError):
        list(stream(b"2,INTERNAL"))
    until(lambda: policy.stats().failures_in_a_row == 1)
    with pytest.raises(grpc.RpcError):
        list(stream(b"2,NOT_FOUND"))
    until(lambda: policy.stats().failures_in_a_row == 0)
    assert policy.stats().in_flight == 0


def test_a_stream_ends_at_the_callers_deadline_and_is_no_failure(
    channel: Any, policy: Policy
) -> None:
    with deadline(0.3), pytest.raises(grpc.RpcError) as caught:
        list(channel.unary_stream("/shop.Test/Stream")(b"2,hang"))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: policy.stats().in_flight == 0)
    assert policy.stats().failures_in_a_row == 0


def test_streams_the_other_ways(channel: Any, policy: Policy) -> None:
    assert channel.stream_unary("/shop.Test/Up")(iter([b"a", b"b"])) == b"ab"
    assert list(channel.stream_stream("/shop.Test/Both")(iter([b"a", b"b"]))) == [b"a", b"b"]
    until(lambda: policy.stats().in_flight == 0)


def test_no_stream_begins_while_the_circuit_is_open(channel: Any, policy: Policy) -> None:
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen):
        list(channel.unary_stream("/shop.Test/Stream")(b"2,"))
    assert policy.stats().in_flight == 0


async def test_streams_in_tasks(policy: Policy, rpc: Grpc) -> None:
    async with opened(policy, rpc) as channel:
        stream = channel.unary_stream("/shop.Test/Stream")
        assert [one async for one in stream(b"3,")] == [b"0", b"1", b"2"]
        held = stream(b"1,hang")
        assert await held.read() == b"0"
        assert policy.stats().in_flight == 1
        held.cancel()
        await settled(lambda: policy.stats().in_flight == 0)
        with pytest.raises(grpc.RpcError):
            [one async for one in stream(b"2,INTERNAL")]
        await settled(lambda: policy.stats().failures_in_a_row == 1)

        async def parts() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        assert await channel.stream_unary("/shop.Test/Up")(parts()) == b"ab"
        both = channel.stream_stream("/shop.Test/Both")(parts())
        assert [one async for one in both] == [b"a", b"b"]
        await settled(lambda: policy.stats().in_flight == 0)


@pytest.mark.parametrize("style", ["iterated", "read", "untouched"])
async def test_streams_in_tasks_that_are_thrown_away_end(
    style: str, policy: Policy, rpc: Grpc
) -> None:
    async with opened(policy, rpc) as channel:

        async def begin() -> None:
            stream = channel.unary_stream("/shop.Test/Stream")(b"1,hang")
            if style == "iterated":
                async for part in stream:
                    assert part == b"0"
                    break
            elif style == "read":
                assert await stream.read() == b"0"
            else:
                await settled(lambda: policy.stats().in_flight != 0)

        await begin()
        await begin()
        await settled(lambda: collected(policy) == 0)
        assert policy.stats().failures_in_a_row == 0
        quiet = False
        while not quiet:
            found = json.loads(await channel.unary_unary("/shop.Test/Seen")(b""))
            quiet = found["streams"] == 0


async def test_streams_both_ways_that_are_thrown_away_end(policy: Policy, rpc: Grpc) -> None:
    async with opened(policy, rpc) as channel:

        async def requests() -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.Event().wait()

        async def begin() -> None:
            both = channel.stream_stream("/shop.Test/Both")(requests())
            assert await both.read() == b"a"
            channel.stream_unary("/shop.Test/Up")(requests())

        await begin()
        await settled(lambda: collected(policy) == 0)


async def test_a_stream_in_a_task_tells_of_its_end(policy: Policy, rpc: Grpc) -> None:
    told: list[Any] = []
    async with opened(policy, rpc) as channel:
        stream = channel.unary_stream("/shop.Test/Stream")(b"2,")
        stream.add_done_callback(told.append)
        assert [one async for one in stream] == [b"0", b"1"]
        assert await stream.code() is grpc.StatusCode.OK
        assert (await stream.details(), stream.done(), stream.cancelled()) == ("", True, False)
        await settled(lambda: told == [stream])


async def settled(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(0.01)


def test_mistakes_are_told(rpc: Grpc) -> None:
    with pytest.raises(PolicyMisused, match="bulkhead"):
        grpc_channel(Policy(name="payments"), rpc.target)
    with pytest.raises(ConfigInvalid, match="repeatable"):
        grpc_channel(Policy(bulkhead=Bulkhead()), rpc.target, repeatable="/a/B")  # type: ignore[arg-type]  # The mistake.
