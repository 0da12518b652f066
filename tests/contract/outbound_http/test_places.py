"""The bulkhead stands in front of the pool, and a streamed answer keeps its place."""

import contextlib
import gc

import pytest
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.server import Server, answer, chunks, dripping_body, large

from mainstay import Bulkhead, Deadline, Policy, keyed
from mainstay.core.errors import BulkheadFull, DeadlineExceeded

PART = b"x" * 65_536


def test_two_hundred_calls_share_eight_places(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=8, queue=192, wait="1m"))
    server.on("/a", answer(200, after_s=0.002))
    got = connect(policy, server.url).many(200, "/a")
    assert {getattr(one, "status", one) for one in got} == {200}
    assert server.in_flight_max <= 8
    assert server.open_max <= 8
    assert policy.stats().in_flight == 0


def test_what_finds_no_place_is_rejected_before_the_pool(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2, queue=3, wait="1m"))
    server.on("/a", answer(200, after_s=0.5))
    got = connect(policy, server.url).many(30, "/a")
    rejected = [one for one in got if isinstance(one, BulkheadFull)]
    assert len(rejected) == 25
    assert server.count("/a") == 5


def test_a_streamed_answer_keeps_its_place_until_it_is_read(
    connect: Connect, server: Server
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1))
    server.on("/a", large(64, PART))
    client = connect(policy, server.url)
    stream = client.stream("/a")
    assert stream.status == 200
    first = stream.part()
    assert first
    with pytest.raises(BulkheadFull):
        client.request("GET", "/a")
    total = len(first)
    while part := stream.part():
        total += len(part)
    assert total == 64 * len(PART)
    assert policy.stats().in_flight == 0
    assert client.request("GET", "/other").status == 404


def test_a_streamed_answer_keeps_its_place_until_it_is_closed(
    connect: Connect, server: Server
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1))
    server.on("/a", dripping_body(0.01, length=None))
    client = connect(policy, server.url)
    stream = client.stream("/a")
    assert stream.part()
    assert policy.stats().in_flight == 1
    stream.close()
    stream.close()
    assert policy.stats().in_flight == 0
    assert client.request("GET", "/other").status == 404


def test_a_place_belongs_to_its_key(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=4, per_key=1))
    server.on("/a", large(64, PART))
    client = connect(policy, server.url)
    with keyed("tenant"):
        stream = client.stream("/a")
        with pytest.raises(BulkheadFull):
            client.request("GET", "/other")
    assert client.request("GET", "/other").status == 404
    stream.close()
    with keyed("tenant"):
        assert client.request("GET", "/other").status == 404
    assert policy.stats().in_flight == 0


# aiohttp itself keeps an answer that nobody closes, until the deadline: that follows below.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", ["httpx-sync", "requests", "httpx", "httpx-uvloop"])
@pytest.mark.parametrize("per_key", [None, 1])
def test_an_answer_that_is_thrown_away_gives_its_place_back(
    connect: Connect, server: Server, per_key: int | None
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1, per_key=per_key))
    server.on("/a", large(64, PART))
    client = connect(policy, server.url)
    stream = client.stream("/a")
    assert policy.stats().in_flight == 1
    del stream
    gc.collect()
    assert client.request("GET", "/other").status == 404


@pytest.mark.parametrize("kind", ["aiohttp", "aiohttp-uvloop"])
def test_an_answer_that_nobody_reads_gives_its_place_back_at_the_deadline(
    connect: Connect, server: Server
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1, queue=1, wait="1m"), deadline=Deadline(0.3))
    server.on("/a", large(64, PART))
    client = connect(policy, server.url)
    stream = client.stream("/a")
    assert policy.stats().in_flight == 1
    with contextlib.suppress(DeadlineExceeded):
        # It waits for the place until its own deadline, a moment after that of the first.
        assert client.request("GET", "/other").status == 404
    assert policy.stats().in_flight == 0
    stream.close()


def test_a_streamed_body_is_done_by_the_deadline(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), deadline=Deadline(0.4))
    server.on("/a", dripping_body(0.02, length=None))
    client = connect(policy, server.url)
    stream = client.stream("/a")

    def read_on() -> None:
        while stream.part():
            pass

    with pytest.raises(DeadlineExceeded) as cut:
        read_on()
    assert isinstance(cut.value, client.theirs)
    assert policy.stats().in_flight == 0


def test_a_streamed_body_that_was_sent_whole_is_read(connect: Connect, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(), deadline=Deadline("1m"))
    server.on("/a", chunks(b"one", b"two"))
    stream = connect(policy, server.url).stream("/a")
    parts = []
    while part := stream.part():
        parts.append(part)
    assert b"".join(parts) == b"onetwo"
    assert policy.stats().in_flight == 0
    stream.close()


def test_connections_are_used_again(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", answer(200))
    client = connect(policy, server.url)
    for _ in range(5):
        client.request("GET", "/a")
    assert {one.connection for one in server.seen} == {1}


def test_connections_that_were_idle_for_too_long_are_not(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(200), answer(200, after_s=0.01))
    client = connect(policy, server.url, idle="1ms")
    client.request("GET", "/a")
    policy.plan.sleep(0.05)
    client.request("GET", "/a")
    assert [one.connection for one in server.seen] == [1, 2]
