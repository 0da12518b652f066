"""What counts as a failure, what is tried again, and what the caller is told."""

import pytest
from tests.contract.outbound_http.conftest import QUICKLY, Connect
from tests.contract.outbound_http.server import (
    Server,
    answer,
    broken_body,
    refusing,
    reset,
    unreachable,
)

from mainstay import Breaker, Bulkhead, Deadline, Policy
from mainstay.core.errors import CircuitOpen, MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.errors import CallUnsendable, ConnectFailed, ConnectionLost
from mainstay.service.outbound.events import Attempted, GaveUp, Retried
from mainstay.service.outbound.retry.retry_after import http_date
from mainstay.testing import Recorder


def test_answers_pass_through(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b"body"))
    client = connect(policy, server.url)
    got = client.request("POST", "/a", body=b"question", headers={"X-Mine": "1"})
    assert (got.status, got.body) == (200, b"body")
    assert (server.seen[0].method, server.seen[0].body) == ("POST", b"question")
    assert server.seen[0].headers["x-mine"] == "1"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refused_connection_is_tried_again_whatever_the_method(
    policy: Policy, connect: Connect, recorder: Recorder, method: str
) -> None:
    with refusing() as url:
        client = connect(policy, url)
        with pytest.raises(ConnectFailed) as failed:
            client.request(method, "/", body=b"x")
    assert recorder.count(Attempted, outcome="failure") == 3
    assert isinstance(failed.value, client.theirs)
    assert isinstance(failed.value.__cause__, Exception)
    assert not isinstance(failed.value.__cause__, MainstayError)


def test_a_connection_that_is_not_made_in_time_was_never_sent(
    policy: Policy, connect: Connect, recorder: Recorder
) -> None:
    with unreachable() as url:
        client = connect(policy, url, connect="100ms")
        with pytest.raises(ConnectFailed):
            client.request("POST", "/", body=b"x")
    assert recorder.count(Attempted, outcome="failure") == 3


def test_a_get_is_repeated_after_a_reset(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", reset, answer(200, b"second"))
    assert connect(policy, server.url).request("GET", "/a").body == b"second"
    assert server.count("/a") == 2


def test_a_post_is_not(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", reset, answer(200, b"second"))
    client = connect(policy, server.url)
    with pytest.raises(ConnectionLost) as failed:
        client.request("POST", "/a", body=b"pay")
    assert server.count("/a") == 1
    assert isinstance(failed.value, client.theirs)
    assert isinstance(failed.value.__cause__, Exception)


def test_a_post_with_a_key_is(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", reset, answer(503), answer(200, b"third"))
    got = connect(policy, server.url).request(
        "POST", "/a", body=b"pay", headers={"Idempotency-Key": "4711"}
    )
    assert got.body == b"third"
    assert [one.body for one in server.seen] == [b"pay"] * 3


def test_a_body_that_can_be_sent_once_is_sent_once(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(503, b"busy"), answer(200))
    got = connect(policy, server.url).request("PUT", "/a", parts=(b"one", b"two"))
    assert (got.status, got.body) == (503, b"busy")
    assert [one.body for one in server.seen] == [b"onetwo"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_failing_status_is_tried_again(
    policy: Policy, connect: Connect, server: Server, status: int
) -> None:
    server.on("/a", answer(status), answer(status), answer(200, b"third"))
    assert connect(policy, server.url).request("GET", "/a").body == b"third"


@pytest.mark.parametrize("status", [400, 404, 409, 304])
def test_others_are_answers(
    policy: Policy, connect: Connect, server: Server, recorder: Recorder, status: int
) -> None:
    server.on("/a", answer(status, b""))
    assert connect(policy, server.url).request("GET", "/a").status == status
    assert server.count("/a") == 1
    assert recorder.count(Attempted, outcome="success") == 1


def test_an_excluded_status_is_an_answer(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", answer(501, b"not here"))
    assert connect(policy, server.url, excluded=(501,)).request("GET", "/a").body == b"not here"
    assert server.count("/a") == 1


def test_the_last_failing_answer_is_the_callers(
    policy: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    server.on("/a", answer(503, b"1"), answer(503, b"2"), answer(503, b"3"))
    got = connect(policy, server.url).request("GET", "/a")
    assert (got.status, got.body) == (503, b"3")
    assert recorder.only(GaveUp).reason == "attempts"
    assert policy.stats().in_flight == 0


def test_a_failing_answer_to_a_post_is_the_callers_at_once(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(503, b"busy"))
    assert connect(policy, server.url).request("POST", "/a").body == b"busy"
    assert server.count("/a") == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_pause_that_the_server_asks_for_is_heeded(
    connect: Connect, server: Server, recorder: Recorder, form: str
) -> None:
    """It asks for half a minute, which the deadline does not have: without the header, it would."""
    policy = Policy(bulkhead=Bulkhead(), retry=QUICKLY, deadline=Deadline("10s"))
    policy.events.add(recorder)
    asked = "30" if form == "seconds" else http_date(policy.plan.clock.wall_s() + 30.0)
    server.on("/a", answer(503, Retry_After=asked), answer(200))
    assert connect(policy, server.url).request("GET", "/a").status == 503
    assert recorder.only(GaveUp).reason == "deadline"


def test_a_pause_of_centuries_is_too_long_and_not_none_at_all(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(503, Retry_After="9" * 11), answer(200))
    assert connect(policy, server.url).request("GET", "/a").status == 503
    assert server.count("/a") == 1


def test_a_date_in_the_past_means_now(
    policy: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    server.on("/a", answer(503, Retry_After=http_date(0.0)), answer(200))
    assert connect(policy, server.url).request("GET", "/a").status == 200
    assert recorder.only(Retried).reason == "BadAnswer"


def test_a_body_that_breaks_off_is_fetched_again(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", broken_body, answer(200, b"whole"))
    assert connect(policy, server.url).request("GET", "/a").body == b"whole"


@pytest.mark.parametrize("act", [answer(500), reset], ids=["500", "reset"])
def test_failures_open_the_circuit(connect: Connect, server: Server, act: object) -> None:
    policy = Policy(bulkhead=Bulkhead(), breaker=Breaker(failures=3))
    server.on("/a", act)  # type: ignore[arg-type]  # One of the two above.
    client = connect(policy, server.url)
    for _ in range(3):
        if act is reset:
            with pytest.raises(ConnectionLost):
                client.request("POST", "/a")
        else:
            client.request("POST", "/a")
    with pytest.raises(CircuitOpen) as rejected:
        client.request("POST", "/a")
    assert server.count("/a") == 3
    assert isinstance(rejected.value, client.theirs)


def test_answers_do_not(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), breaker=Breaker(failures=3))
    client = connect(policy, server.url)
    for _ in range(10):
        assert client.request("GET", "/nowhere").status == 404
    assert policy.stats().failures_in_a_row == 0
    assert policy.stats().state == "closed"


# requests looks at headers before its adapter does.
@pytest.mark.parametrize("kind", ["httpx", "httpx-sync", "aiohttp"])
def test_what_the_client_refuses_to_send_is_no_failure(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), breaker=Breaker(failures=1), retry=QUICKLY)
    client = connect(policy, server.url)
    with pytest.raises(CallUnsendable) as refused:
        client.request("GET", "/a", headers={"X-Split": "a\r\nb: c"})
    assert isinstance(refused.value, client.theirs)
    assert policy.stats().state == "closed"
    assert server.seen == []


def test_without_a_bulkhead_there_is_no_client(connect: Connect, server: Server) -> None:
    with pytest.raises(PolicyMisused, match="needs a bulkhead"):
        connect(Policy(name="catalog"), server.url)
