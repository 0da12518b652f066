"""Commands that wait by themselves, and the bound of a read."""

import asyncio
from typing import Any

import pytest
from tests.contract.stores.redis_clients.conftest import opened
from tests.contract.stores.servers import LONG_S, Valkey, until

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded
from mainstay.service.outbound.adapters import redis_clients


@pytest.fixture
def hasty() -> Policy:
    """All bounds are shorter than the commands below wait."""
    return Policy(
        name="cache",
        bulkhead=Bulkhead(),
        breaker=Breaker(failures=1),
        deadline=Deadline(0.2),
        attempt_timeout=AttemptTimeout(within=0.1),
    )


def test_a_command_that_waits_by_itself_has_its_time(
    library: str, hasty: Policy, valkey: Valkey
) -> None:
    client = getattr(redis_clients, f"{library}_client")(hasty, valkey.url, read=LONG_S)
    began_s = SYSTEM_CLOCK.monotonic_s()
    assert client.blpop("nothing", timeout=0.5) is None
    assert SYSTEM_CLOCK.monotonic_s() - began_s >= 0.45
    with deadline(0.2), pytest.raises(DeadlineExceeded):
        client.blpop("nothing", timeout=LONG_S)
    assert hasty.stats().state == "closed"
    client.close()


async def test_a_command_that_waits_by_itself_has_its_time_in_a_task(
    library: str, hasty: Policy, valkey: Valkey
) -> None:
    async with opened(library, Policy(bulkhead=Bulkhead()), valkey):
        pass
    make = getattr(redis_clients, f"async_{library}_client")
    client = make(hasty, valkey.url, read=LONG_S)
    began_s = SYSTEM_CLOCK.monotonic_s()
    assert await client.blpop("nothing", timeout=0.5) is None
    assert SYSTEM_CLOCK.monotonic_s() - began_s >= 0.45
    with deadline(0.2), pytest.raises(DeadlineExceeded):
        await client.blpop("nothing", timeout=LONG_S)
    assert hasty.stats().state == "closed"
    await client.aclose()


def test_a_read_has_a_bound_without_any_deadline(library: str, valkey: Valkey) -> None:
    policy = Policy(name="cache", bulkhead=Bulkhead())
    client = getattr(redis_clients, f"{library}_client")(policy, valkey.url, read=0.2)
    with pytest.raises(AttemptTimedOut) as caught:
        client.execute_command("DEBUG", "SLEEP", "1")
    assert caught.value.after_s == 0.2
    client.close()
    until(valkey.answers)


async def test_a_read_has_a_bound_without_any_deadline_in_a_task(
    library: str, valkey: Valkey
) -> None:
    policy = Policy(name="cache", bulkhead=Bulkhead())
    client = getattr(redis_clients, f"async_{library}_client")(policy, valkey.url, read=0.2)
    with pytest.raises(AttemptTimedOut) as caught:
        await client.execute_command("DEBUG", "SLEEP", "1")
    assert caught.value.after_s == 0.2
    await client.aclose()
    await asyncio.to_thread(until, valkey.answers)


def test_channels_are_left_alone(client: Any, policy: Policy) -> None:
    """A subscriber waits as long as it likes, and takes no place from commands."""
    listener = client.pubsub()
    listener.subscribe("news")
    assert policy.stats().in_flight == 0
    assert listener.get_message(timeout=LONG_S)["type"] == "subscribe"
    assert client.publish("news", "hello") == 1
    assert listener.get_message(timeout=LONG_S)["data"] == "hello"
    listener.close()
