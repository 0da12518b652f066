"""What Redis clients keep beside the laws of all."""

import asyncio
from typing import Any

import pytest
from tests.contract.stores.redis_clients.conftest import LIBRARIES, opened
from tests.contract.stores.servers import LONG_S, Valkey

from mainstay import Bulkhead, Fallback, Policy
from mainstay.service.outbound.adapters import redis_clients
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost
from mainstay.service.outbound.adapters.outcome import NotServed
from mainstay.service.outbound.events import Attempted
from mainstay.testing import Recorder


def test_it_is_the_librarys_own_class(client: Any, library: str) -> None:
    module = __import__(library)
    assert isinstance(client, getattr(module, library.capitalize()))


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_last_good_answer_stands_in_for_the_same_question_alone(
    kind: str, client: Any, library: str, valkey: Valkey
) -> None:
    client.set("a", "good")
    client.set("b", "other")
    client.rpush("l", 1)
    client.hset("h", "field", "1")
    client.sadd("s", "member")
    client.rpush("long", "x" * 65_536)
    policy = Policy(name="cache", bulkhead=Bulkhead(limit=2), fallback=Fallback(last_good=4))
    # What callers do to theirs changes nobody else's.
    changeable: list[tuple[tuple[object, ...], Any]] = [
        (("LRANGE", "l", 0, -1), ["1"]),
        (("HGETALL", "h"), {"field": "1"}),
        (("SMEMBERS", "s"), {"member"}),
    ]

    async def ask(made: Any, *command: Any) -> Any:
        answer = made.execute_command(*command)
        return await answer if kind == "async" else answer

    async def all_of_it() -> None:
        make = getattr(redis_clients, f"{'async_' * (kind == 'async')}{library}_client")
        made, another = (make(policy, valkey.url, decode_responses=True) for _ in range(2))
        assert await ask(made, "GET", "a") == "good"
        assert await ask(made, "SET", "c", "1") is True
        assert await ask(made, "LRANGE", "long", 0, -1) == ["x" * 65_536]
        for _ in range(3):
            for command, good in changeable:
                answer = await ask(made, *command)
                assert answer == type(answer)(good)
                answer.clear()
            valkey.kill()
        assert await ask(made, "GET", "a") == "good"
        for whose, command in (
            (made, ("GET", "b")),
            (another, ("GET", "a")),
            (made, ("SET", "c", "1")),
            (made, ("LRANGE", "long", 0, -1)),  # Too large.
        ):
            with pytest.raises((ConnectFailed, ConnectionLost)):
                await ask(whose, *command)
        for one in (made, another):
            if kind == "async":
                await one.aclose()
            else:
                one.close()

    asyncio.run(all_of_it())


def test_a_server_that_cannot_write_is_a_failure(client: Any, recorder: Recorder) -> None:
    """It refuses for its own reasons, and says so: nothing was done."""
    client.config_set("maxmemory", "1")
    recorder.clear()
    try:
        with pytest.raises(NotServed):
            client.set("a", "1", nx=True)
    finally:
        client.config_set("maxmemory", "0")
    assert recorder.count(Attempted, outcome="failure") >= 1


async def test_answers_never_change_places(library: str, valkey: Valkey) -> None:
    """Cancelled at any moment, a command takes its connection with it."""
    policy = Policy(name="cache", bulkhead=Bulkhead(limit=1, queue=200, wait=LONG_S))
    async with opened(library, policy, valkey) as client:
        for number in range(20):
            await client.set(f"k{number}", number)

        async def wait_a_little(turns: int) -> None:
            task = asyncio.create_task(client.get("k0"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        for number in range(20):
            await wait_a_little(number)
            assert await client.get(f"k{number}") == str(number)
        assert policy.stats().in_flight == 0


def test_both_spellings_of_a_url_are_taken(library: str, policy: Policy, valkey: Valkey) -> None:
    for scheme in LIBRARIES:
        url = valkey.url.replace("redis", scheme)
        client = getattr(redis_clients, f"{library}_client")(policy, url)
        assert client.ping()
        client.close()
