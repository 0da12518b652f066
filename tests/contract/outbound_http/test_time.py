"""Timeouts of an attempt and of the whole call, and what is sent along about them."""

import pytest
from tests.contract.outbound_http.conftest import QUICKLY, Connect
from tests.contract.outbound_http.server import (
    Act,
    Server,
    answer,
    deaf,
    dripping_body,
    dripping_headers,
    hang,
)

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded
from mainstay.core.trace import RANDOM, SAMPLED, Trace, enter_trace, leave_trace
from mainstay.service.outbound.adapters.headers import DEADLINE_HEADER
from mainstay.testing import Recorder

LONG_S = 20.0
"""Far more than any bound of these tests, and far less than for ever."""

SLOW: dict[str, Act] = {
    "silent": hang,
    "slow headers": dripping_headers(0.02),
    "slow body": dripping_body(0.02),
}


@pytest.mark.parametrize("slow", SLOW)
def test_each_attempt_has_its_bound(connect: Connect, server: Server, slow: str) -> None:
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, attempt_timeout=AttemptTimeout(within=0.3))
    server.on("/a", SLOW[slow], answer(200, b"second"))
    assert connect(policy, server.url).request("GET", "/a").body == b"second"
    assert server.count("/a") == 2
    assert policy.stats().in_flight == 0


@pytest.mark.parametrize("slow", SLOW)
def test_the_last_attempts_timeout_is_told(connect: Connect, server: Server, slow: str) -> None:
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, attempt_timeout=AttemptTimeout(within=0.2))
    server.on("/a", SLOW[slow])
    client = connect(policy, server.url)
    began_s = SYSTEM_CLOCK.monotonic_s()
    with pytest.raises(AttemptTimedOut) as cut:
        client.request("POST", "/a")
    assert 0.15 < SYSTEM_CLOCK.monotonic_s() - began_s < LONG_S
    assert server.count("/a") == 1
    assert isinstance(cut.value, client.theirs)


@pytest.mark.parametrize("slow", SLOW)
def test_the_whole_call_has_its_bound(
    connect: Connect, server: Server, recorder: Recorder, slow: str
) -> None:
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, deadline=Deadline(0.3))
    policy.events.add(recorder)
    server.on("/a", SLOW[slow])
    client = connect(policy, server.url)
    began_s = SYSTEM_CLOCK.monotonic_s()
    with pytest.raises(DeadlineExceeded) as cut:
        client.request("GET", "/a")
    assert 0.25 < SYSTEM_CLOCK.monotonic_s() - began_s < LONG_S
    assert isinstance(cut.value, client.theirs)
    assert server.count("/a") == 1


def test_a_callers_deadline_counts_too_and_is_no_failure(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), deadline=Deadline(LONG_S), breaker=Breaker(failures=1))
    server.on("/a", hang)
    client = connect(policy, server.url)
    with deadline(0.2), pytest.raises(DeadlineExceeded):
        client.request("GET", "/a")
    assert policy.stats().state == "closed"


UPLOAD = b"x" * 20_000_000
"""More than the kernel takes before anybody reads."""

large = pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
"""That is the point here."""


@large
def test_an_upload_that_the_callers_deadline_cuts_is_no_failure(connect: Connect) -> None:
    with deaf() as url:
        policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, breaker=Breaker(failures=1))
        client = connect(policy, url)
        with deadline(0.3), pytest.raises(DeadlineExceeded) as cut:
            client.request("POST", "/a", body=UPLOAD)
        assert cut.value.begun
        assert isinstance(cut.value, client.theirs)
        assert policy.stats().state == "closed"


@large
def test_an_upload_that_its_own_time_cuts_is_a_failure(connect: Connect) -> None:
    with deaf() as url:
        policy = Policy(
            bulkhead=Bulkhead(),
            breaker=Breaker(failures=1),
            attempt_timeout=AttemptTimeout(within=0.3),
        )
        client = connect(policy, url)
        with pytest.raises(AttemptTimedOut):
            client.request("POST", "/a", body=UPLOAD)
        assert policy.stats().state == "open"


def test_an_upload_in_parts_has_one_bound_for_all(connect: Connect) -> None:
    """Each part has not the whole time anew."""
    with deaf() as url:
        policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, deadline=Deadline(0.3))
        client = connect(policy, url)
        began_s = SYSTEM_CLOCK.monotonic_s()
        with pytest.raises(DeadlineExceeded):
            client.request("POST", "/a", parts=(b"x" * 1_000_000,) * 30)
        assert SYSTEM_CLOCK.monotonic_s() - began_s < LONG_S


def test_the_clients_own_bound_on_a_read_is_an_attempts(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY)
    server.on("/a", hang, answer(200, b"second"))
    assert connect(policy, server.url, read="200ms").request("GET", "/a").body == b"second"


def test_with_no_time_left_nothing_is_sent(connect: Connect, server: Server) -> None:
    client = connect(Policy(bulkhead=Bulkhead()), server.url)
    with deadline(0.0), pytest.raises(DeadlineExceeded):
        client.request("GET", "/a")
    assert server.seen == []


def test_the_time_that_is_left_goes_along_and_shrinks(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, deadline=Deadline("10s"))
    server.on("/a", answer(503, after_s=0.02), answer(503, after_s=0.02), answer(200))
    connect(policy, server.url).request("GET", "/a")
    left_ms = [int(one.headers[DEADLINE_HEADER]) for one in server.seen]
    assert 10_000 > left_ms[0] > left_ms[1] > left_ms[2] > 0
    assert not {"grpc-timeout", "x-request-timeout"} & set(server.seen[0].headers)


def test_an_attempt_with_less_time_says_so(connect: Connect, server: Server) -> None:
    policy = Policy(
        bulkhead=Bulkhead(), deadline=Deadline("1h"), attempt_timeout=AttemptTimeout(within="10s")
    )
    server.on("/a", answer(200))
    connect(policy, server.url).request("GET", "/a")
    assert int(server.seen[0].headers[DEADLINE_HEADER]) <= 10_000


def test_where_nothing_bounds_the_time_nothing_is_said(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(200))
    connect(policy, server.url).request("GET", "/a")
    assert DEADLINE_HEADER not in server.seen[0].headers
    assert "traceparent" not in server.seen[0].headers


def test_the_trace_goes_along_with_a_span_for_each_attempt(
    policy: Policy, connect: Connect, server: Server
) -> None:
    """Where somebody makes spans of calls; else the request itself is the parent."""
    policy.events.calls = True
    server.on("/a", answer(503), answer(200))
    client = connect(policy, server.url)
    token = enter_trace(Trace("a" * 32, "b" * 16, None, SAMPLED | RANDOM))
    try:
        client.request("GET", "/a")
    finally:
        leave_trace(token)
    first, second = (one.headers["traceparent"].split("-") for one in server.seen)
    assert first[:2] == second[:2] == ["00", "a" * 32]
    assert first[3] == second[3] == "03"
    assert len({first[2], second[2], "b" * 16}) == 3


def test_a_trace_that_is_there_already_stays(
    policy: Policy, connect: Connect, server: Server
) -> None:
    mine = f"00-{'c' * 32}-{'d' * 16}-01"
    server.on("/a", answer(200))
    client = connect(policy, server.url)
    token = enter_trace(Trace("a" * 32, "b" * 16, None, SAMPLED))
    try:
        client.request("GET", "/a", headers={"traceparent": mine})
    finally:
        leave_trace(token)
    assert server.seen[0].headers["traceparent"] == mine
