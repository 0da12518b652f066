"""What each client tells of each attempt, where somebody asked for it."""

from random import Random

import pytest
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.server import Server, answer, refusing

from mainstay import Policy
from mainstay.core.errors import MainstayError
from mainstay.core.events import Event
from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.service.outbound.events import Attempted, CallEnded
from mainstay.testing import Recorder


def test_each_attempt_is_told_with_what_was_sent(
    policy: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    """The span's id is the one that the callee gets as its parent."""
    policy.events.calls = True
    server.on("/items?secret=1", answer(503), answer(200))
    token = enter_trace(trace := arrive(Random(1)))
    try:
        assert connect(policy, server.url).request("GET", "/items?secret=1").status == 200
    finally:
        leave_trace(token)
    told = recorder.of(CallEnded)
    assert [one.status for one in told] == [503, 200]
    assert [one.error for one in told] == ["BadAnswer", None]
    assert {(one.system, one.operation, one.target) for one in told} == {("http", "GET", "/items")}
    assert {f"{one.server}:{one.port}" for one in told} == {server.url.removeprefix("http://")}
    sent = [one.headers["traceparent"].split("-")[1:3] for one in server.seen]
    assert sent == [[trace.trace_id, one.span_id] for one in told]
    assert len({one.span_id for one in told} | {trace.span_id}) == 3
    assert all(one.took_s > 0 for one in told)


def test_an_attempt_that_failed_is_told_before_it_is_counted(
    policy: Policy, connect: Connect, recorder: Recorder
) -> None:
    policy.events.calls = True
    with refusing() as url, pytest.raises(MainstayError):
        connect(policy, url).request("GET", "/")
    kinds = [type(one) for one in recorder.of(Event) if isinstance(one, CallEnded | Attempted)]
    assert kinds == [CallEnded, Attempted] * 3
    assert {(one.status, one.error) for one in recorder.of(CallEnded)} == {(None, "ConnectFailed")}
    assert {one.span_id for one in recorder.of(CallEnded)} == {None}


def test_where_nobody_asked_nothing_is_told(
    policy: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    server.on("/items", answer(200))
    token = enter_trace(trace := arrive(Random(1)))
    try:
        connect(policy, server.url).request("GET", "/items")
    finally:
        leave_trace(token)
    assert recorder.count(CallEnded) == 0
    assert server.seen[0].headers["traceparent"] == trace.traceparent
