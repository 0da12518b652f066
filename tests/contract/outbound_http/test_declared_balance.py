"""A declared dependency with several endpoints, of which one dies: nobody notices but it."""

from collections.abc import Iterator

import pytest
from tests.contract.outbound_http.server import Server, answer

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.events import Listeners
from mainstay.service.outbound.balance import EndpointEjected
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.spec.balance import CallBalance, CallEjection
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency, Retry
from mainstay.spec.kinds.units import Between
from mainstay.testing import Recorder

CALLS = 40


@pytest.fixture
def other() -> Iterator[Server]:
    with Server() as one:
        yield one


def place(server: Server) -> str:
    return server.url.removeprefix("http://")


def declared(*endpoints: str, policy: str = "round_robin") -> DependencyPolicy:
    dependency = Dependency(
        url="http://catalog.internal:8080",
        retry=Retry(backoff=Between(low_s=0.001, high_s=0.002)),
        balance=CallBalance(
            policy=policy, endpoints=endpoints, eject=CallEjection(failures=3, time_s=60.0)
        ),
    )
    declaration = Declaration(
        service="shop", app="shop:app", dependencies=(("catalog", dependency),)
    )
    return DependencyPolicy("catalog", declaration, {}, clock=SYSTEM_CLOCK, events=Listeners())


async def test_one_of_two_endpoints_dies_under_calls(
    server: Server, other: Server, recorder: Recorder
) -> None:
    server.on("/a", answer(200))
    other.on("/a", answer(200))
    catalog = declared(place(server), place(other))
    catalog.events.add(recorder)
    async with catalog.http_client() as client:
        for _ in range(CALLS):
            assert (await client.get("/a")).status_code == 200
        assert (server.count("/a"), other.count("/a")) == (CALLS // 2, CALLS // 2)
        other.die()
        for _ in range(CALLS):
            assert (await client.get("/a")).status_code == 200
    assert server.count("/a") == CALLS // 2 + CALLS
    (ejected,) = recorder.of(EndpointEjected)
    assert (ejected.dependency, ejected.endpoint) == ("catalog", place(other))
    # The breaker is of the dependency, which went on answering.
    assert catalog.stats().state == "closed"
    assert catalog.stats().in_flight == 0


def test_every_client_of_the_dependency_knows_who_is_away(server: Server, other: Server) -> None:
    server.on("/a", answer(200))
    gone = place(other)
    other.die()
    catalog = declared(place(server), gone)
    with catalog.sync_http_client() as client:
        for _ in range(CALLS):
            assert client.get("/a").status_code == 200
    assert catalog.balancer is not None
    states = {str(one.endpoint): one for one in catalog.balancer.endpoints()}
    assert states[gone].returns_in_s is not None
    with catalog.requests_session() as session:
        for _ in range(CALLS):
            assert session.get("/a").status_code == 200
    assert states[gone].ejections == 1
    # The URL's host is what the server is asked as, whichever endpoint it is.
    assert {one.headers["host"] for one in server.seen} == {"catalog.internal:8080"}
