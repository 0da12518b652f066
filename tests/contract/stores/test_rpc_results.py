"""What of gRPC is shown to who judges results: calls as gRPC makes them, and nothing of ours."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.
import pytest
from grpc import aio
from tests.contract.stores.rpc_channel import ABORT, ECHO, Channel
from tests.contract.stores.servers import Grpc

from mainstay import Breaker, Bulkhead, Fallback, Policy, Retry
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder

FALLBACKS = pytest.mark.parametrize(
    "fallback",
    [None, Fallback(value=b"instead"), Fallback(last_good=3)],
    ids=["none", "value", "last_good"],
)

Connect = Callable[[Policy], Channel]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, rpc: Grpc) -> Iterator[Connect]:
    made: list[Channel] = []

    def connect(policy: Policy) -> Channel:
        made.append(Channel(request.param, policy, rpc.target))
        return made[-1]

    yield connect
    for one in made:
        one.close()


class Judge:
    """Notes what it is shown, and finds it good or bad."""

    def __init__(self, *, bad: bool) -> None:
        self._bad = bad
        self.shown: list[Any] = []

    def __call__(self, result: Any) -> bool:
        self.shown.append(result)
        return self._bad

    def delay(self, result: Any) -> None:
        self.shown.append(result)


def judged(judge: Judge, fallback: Fallback | None = None) -> Policy:
    return Policy(
        name="catalog",
        bulkhead=Bulkhead(limit=8),
        retry=Retry(
            attempts=2, backoff=(0.001, 0.002), budget=None, on_result=judge, delay_from=judge.delay
        ),
        breaker=Breaker(failures=50, on_result=judge),
        fallback=fallback,
    )


@FALLBACKS
@pytest.mark.parametrize("method", [ECHO, "/shop.Other/Echo"])
def test_calls_are_shown_whatever_is_kept_of_them(
    method: str, fallback: Fallback | None, connect: Connect
) -> None:
    judge = Judge(bad=False)
    assert connect(judged(judge, fallback)).call(b"a", method) == b"a"
    assert len(judge.shown) == 2
    assert all(isinstance(one, grpc.Call | aio.Call) for one in judge.shown)


@FALLBACKS
def test_calls_are_shown_to_who_finds_delays_in_them(
    fallback: Fallback | None, connect: Connect
) -> None:
    judge = Judge(bad=True)
    assert connect(judged(judge, fallback)).call(b"a") == b"a"
    # Two attempts, each shown to the breaker, to the retry, and to who says how long it waits.
    assert len(judge.shown) == 6
    assert all(isinstance(one, grpc.Call | aio.Call) for one in judge.shown)


def test_messages_can_be_read_from_what_threads_are_shown(rpc: Grpc) -> None:
    judge = Judge(bad=False)
    channel = Channel("sync", judged(judge, Fallback(last_good=3)), rpc.target)
    channel.call(b"a")
    channel.close()
    assert [(one.result(), one.code().name) for one in judge.shown] == [(b"a", "OK")] * 2


def test_what_was_found_bad_is_not_kept_and_what_was_good_is(connect: Connect) -> None:
    judge = Judge(bad=False)
    policy = judged(judge, Fallback(last_good=3, value=b"instead"))
    channel = connect(policy)
    channel.call(b"good")
    judge = Judge(bad=True)
    policy.update(judged(judge, policy.plan.parts.fallback).plan.parts)
    channel.call(b"bad")
    policy.breaker.force_open()
    assert [channel.call(one) for one in (b"good", b"bad")] == [b"good", b"instead"]


@FALLBACKS
@pytest.mark.parametrize("method", [ABORT, "/shop.Other/Abort"])
def test_errors_that_were_answered_are_judged_by_nobody(
    method: str, fallback: Fallback | None, connect: Connect, recorder: Recorder
) -> None:
    """They are answers, and no results: neither failures nor tried again."""
    judge = Judge(bad=True)
    policy = judged(judge, fallback)
    policy.events.add(recorder)
    channel = connect(policy)
    with pytest.raises(grpc.RpcError) as caught:
        channel.call(b"NOT_FOUND,0,", method)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert judge.shown == []
    assert recorder.count(Attempted, outcome="success") == 1
    assert recorder.count(Retried) == 0


def test_streams_are_no_results(connect: Connect) -> None:
    """Where one begins there is nothing yet that could be judged."""
    judge = Judge(bad=True)
    assert connect(judged(judge)).stream(b"2,") == [b"0", b"1"]
    assert judge.shown == []
