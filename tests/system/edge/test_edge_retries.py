"""What is tried again on another replica, and what must not be."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest
from tests.system.edge.world import Answer, Backend, Request, World, after, hang, reset, saying

from mainstay.spec.edge import BALANCE_POLICIES, Balance, Edge, EdgeRetry, HealthCheck

pytestmark = pytest.mark.system

# The checks would take the broken one out of the way before a request meets it.
BLIND = HealthCheck(kind="tcp", interval_s=600, fall=100)


async def one_bad_one_good(
    world: World, answer: Answer, retry: EdgeRetry | None, timeout_s: float = 15.0
) -> tuple[Backend, Backend]:
    world.declare(
        Edge(
            health=BLIND,
            balance=Balance(policy="round_robin"),
            retry=retry,
            eject=None,
            timeout_s=timeout_s,
        )
    )
    bad, good = await world.backend("bad"), await world.backend("good")
    bad.answer = answer
    await world.up()
    return bad, good


async def send(world: World, method: str, count: int) -> Sequence[httpx.Response]:
    return [await world.client.request(method, world.url + "/x") for _ in range(count)]


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@pytest.mark.parametrize("answer", [reset, saying(503)])
async def test_a_repeatable_request_goes_to_the_other_replica(
    world: World, method: str, answer: Answer
) -> None:
    bad, good = await one_bad_one_good(world, answer, EdgeRetry())
    responses = await send(world, method, 6)
    assert [response.status_code for response in responses] == [200] * 6
    # Round robin: a retry takes the good one's turn as well.
    assert len(bad.seen) >= 3
    assert len(good.seen) == 6


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("answer", [reset, saying(503)])
async def test_another_request_that_arrived_is_never_sent_twice(
    world: World, method: str, answer: Answer
) -> None:
    bad, good = await one_bad_one_good(world, answer, EdgeRetry())
    responses = await send(world, method, 6)
    assert len(bad.seen) + len(good.seen) == 6
    assert sorted(response.status_code for response in responses) == [200] * 3 + [503] * 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_that_never_left_is_tried_elsewhere(world: World, method: str) -> None:
    """A replica is killed: connections to it are refused until somebody notices."""
    bad, good = await one_bad_one_good(world, reset, EdgeRetry())
    await bad.stop()
    responses = await send(world, method, 10)
    assert [response.status_code for response in responses] == [200] * 10
    assert len(good.seen) == 10


@pytest.mark.parametrize("policy", BALANCE_POLICIES)
@pytest.mark.parametrize("replicas", [2, 3])
async def test_a_retry_never_meets_the_dead_replica_again(
    world: World, policy: str, replicas: int
) -> None:
    """A dead replica has nothing in flight, so to some policies it looks the best of all."""
    world.declare(Edge(health=BLIND, balance=Balance(policy=policy), eject=None))
    dead, *living = [await world.backend(f"replica{n}") for n in range(replicas)]
    for one in living:
        one.answer = after(0.05, one.name)
    await world.up()
    await dead.stop()

    async def client() -> Counter[str]:
        return await world.names(12)

    found = await asyncio.gather(*(client() for _ in range(16)))
    assert sum(one.total() for one in found) == 16 * 12


async def test_the_body_goes_with_the_retry(world: World) -> None:
    bad, good = await one_bad_one_good(world, reset, EdgeRetry())
    await bad.stop()
    body = b"x" * 100_000
    for _ in range(4):
        response = await world.client.post(world.url + "/x", content=body)
        assert response.status_code == 200
    assert [request.body for request in good.seen] == [body] * 4


async def test_without_retries_the_failure_is_the_answer(world: World) -> None:
    bad, good = await one_bad_one_good(world, saying(503), None)
    responses = await send(world, "GET", 6)
    assert sorted(response.status_code for response in responses) == [200] * 3 + [503] * 3
    assert len(bad.seen) + len(good.seen) == 6


async def test_declared_conditions_are_the_ones_that_count(world: World) -> None:
    """`5xx` covers a 500, which the default leaves to the caller."""
    bad, good = await one_bad_one_good(world, saying(500), EdgeRetry(on=("5xx",)))
    responses = await send(world, "GET", 4)
    assert [response.status_code for response in responses] == [200] * 4
    assert len(bad.seen) >= 2
    assert len(good.seen) == 4


async def test_attempts_are_bounded(world: World) -> None:
    world.declare(Edge(health=BLIND, retry=EdgeRetry(attempts=3), eject=None))
    for _ in range(5):
        (await world.backend()).answer = saying(503)
    await world.up()
    response = await world.get()
    assert response.status_code == 503
    seen = [len(backend.seen) for backend in world.backends]
    assert sorted(seen) == [0, 0, 1, 1, 1], "three attempts, each on another replica"


async def test_a_replica_that_hangs_does_not_eat_the_whole_timeout(world: World) -> None:
    """After its share of the time a second replica is asked beside the first."""
    bad, _ = await one_bad_one_good(world, hang, EdgeRetry(), timeout_s=4.0)
    responses = await asyncio.gather(*(world.get() for _ in range(4)))
    assert [response.text for response in responses] == ["good"] * 4
    assert len(bad.seen) == 2


async def test_a_slow_answer_is_not_cut_by_the_second_attempt(world: World) -> None:
    """The first attempt goes on: whoever answers first wins."""
    bad, good = await one_bad_one_good(world, hang, EdgeRetry(), timeout_s=3.0)
    bad.answer = good.answer = slowly
    response = await world.get()
    assert response.status_code == 200
    assert response.text == "after 2 s"
    assert len(bad.seen) + len(good.seen) == 2


async def slowly(request: object, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nafter 2 s")
    await writer.drain()


async def test_a_post_that_hangs_is_answered_504_and_not_repeated(world: World) -> None:
    bad, good = await one_bad_one_good(world, hang, EdgeRetry(), timeout_s=0.5)
    responses = await send(world, "POST", 2)
    assert sorted(response.status_code for response in responses) == [200, 504]
    assert len(bad.seen) == len(good.seen) == 1


async def test_retries_stay_within_their_budget(world: World) -> None:
    """All replicas answer 503: without a budget each of 200 requests would come twice."""
    world.declare(Edge(health=BLIND, retry=EdgeRetry(budget=0.0), eject=None))
    for _ in range(2):
        (await world.backend()).answer = slow_503
    await world.up()
    responses = await asyncio.gather(*(world.get() for _ in range(200)))
    assert {response.status_code for response in responses} == {503}
    retried = sum(len(backend.seen) for backend in world.backends) - 200
    assert 0 < retried < 150, retried


async def test_a_retry_that_the_budget_forbids_leaves_a_lost_request(world: World) -> None:
    """Not an overload: the app may have seen it, and the caller must know."""
    world.declare(Edge(health=BLIND, retry=EdgeRetry(budget=0.0), eject=None))
    for _ in range(2):
        (await world.backend()).answer = late_reset
    await world.up()
    responses = await asyncio.gather(*(world.get() for _ in range(120)))
    kinds = {response.json()["type"] for response in responses}
    assert kinds == {"urn:mainstay:edge:replica-lost"}


async def late_reset(request: Request, writer: asyncio.StreamWriter) -> None:
    # Late enough that all 120 are in flight together, and more than the budget are lost at once.
    await asyncio.sleep(1.5)
    await reset(request, writer)


async def slow_503(request: object, writer: asyncio.StreamWriter) -> None:
    # Slow enough that all 200 are in flight together.
    await asyncio.sleep(1.5)
    writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
