"""Several endpoints behind one name: another one for a further attempt."""

from random import Random

import pytest
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.server import Server, answer, hang, refusing

from mainstay import AttemptTimeout, Bulkhead, Policy, deadline
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded
from mainstay.service.outbound.balance import Balancer


def host(url: str) -> str:
    return url.removeprefix("http://")


def test_a_further_attempt_goes_elsewhere(policy: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", answer(200))
    with refusing() as away:
        balancer = Balancer([host(away), host(server.url)], by="round_robin", rng=Random(1))
        client = connect(policy, "http://catalog.internal:8080", balancer=balancer)
        for _ in range(4):
            assert client.request("POST", "/a", body=b"x").status == 200
    assert server.count("/a") == 4
    assert {one.headers["host"] for one in server.seen} == {"catalog.internal:8080"}
    dead, alive = balancer.endpoints()
    assert dead.streak >= 1
    assert alive.streak == 0
    assert dead.active == alive.active == 0


def test_an_endpoint_that_answers_failures_is_told_so(
    policy: Policy, connect: Connect, server: Server
) -> None:
    server.on("/a", answer(503))
    balancer = Balancer([host(server.url)])
    client = connect(policy, "http://catalog.internal", balancer=balancer)
    client.request("GET", "/a")
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (3, 0)


def test_impatient_callers_say_nothing_about_an_endpoint(
    policy: Policy, connect: Connect, server: Server
) -> None:
    """Three healthy endpoints must not be ejected because those who ask don't wait."""
    server.on("/a", hang)
    balancer = Balancer([host(server.url)])
    client = connect(policy, "http://catalog.internal", balancer=balancer)
    for _ in range(3):
        with deadline(0.05), pytest.raises(DeadlineExceeded):
            client.request("GET", "/a")
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (0, 0)


def test_the_end_of_the_attempts_own_time_is_the_endpoints_slowness(
    connect: Connect, server: Server
) -> None:
    server.on("/a", hang)
    balancer = Balancer([host(server.url)])
    policy = Policy(
        name="catalog", bulkhead=Bulkhead(limit=8), attempt_timeout=AttemptTimeout(within=0.05)
    )
    client = connect(policy, "http://catalog.internal", balancer=balancer)
    with deadline(60.0), pytest.raises(AttemptTimedOut):
        client.request("GET", "/a")
    (state,) = balancer.endpoints()
    assert (state.streak, state.active) == (1, 0)
