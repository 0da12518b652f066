"""What only the store in Valkey has to hold: its keys, its clock, its failures."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from tests.contract.stores.servers import Valkey as Server

from mainstay.core.errors import PolicyMisused, StoreRefused, StoreUnavailable
from mainstay.core.limits import Ask
from mainstay.state.limits import ValkeyLimits
from mainstay.state.valkey import Valkey


@pytest.fixture
def valkey(server: Server) -> Iterator[Valkey]:
    one = Valkey(server.url, timeout_s=30.0)
    one.call("FLUSHALL")
    yield one
    one.close()


def test_a_bucket_lives_until_it_is_empty(valkey: Valkey) -> None:
    ValkeyLimits(valkey, prefix="shop").take([Ask("a", 10.0, 5, 2)])
    left_ms = valkey.call("PTTL", "{shop}:limit:a")
    assert isinstance(left_ms, int)
    assert 0 < left_ms <= 20_001


def test_a_look_leaves_nothing_behind(valkey: Valkey) -> None:
    ValkeyLimits(valkey).take([Ask("a", 10.0, 5, 0)])
    assert valkey.call("DBSIZE") == 0


def test_all_keys_of_a_prefix_stand_together_in_a_cluster(valkey: Valkey) -> None:
    ValkeyLimits(valkey, prefix="shop").take([Ask(key, 10.0, 5) for key in ("a", "{b}", "c" * 999)])
    keys = valkey.call("KEYS", "*")
    assert isinstance(keys, list)
    assert len(keys) == 3
    assert all(isinstance(one, bytes) and one.startswith(b"{shop}:limit:") for one in keys)
    assert all(isinstance(one, bytes) and len(one) < 300 for one in keys)


def test_a_million_callers_are_forgotten(valkey: Valkey) -> None:
    """A hundredth of them here: nothing is kept of a bucket that has become empty."""
    limits = ValkeyLimits(valkey)

    async def all_of() -> None:
        for start in range(0, 10_000, 500):
            asks = [Ask(f"caller-{start + n}", 0.001, 5) for n in range(500)]
            await asyncio.gather(*(limits.atake([ask]) for ask in asks))
        for _ in range(1000):
            if await valkey.acall("DBSIZE") == 0:
                break
            await asyncio.sleep(0.02)
        assert await valkey.acall("DBSIZE") == 0
        await valkey.aclose()

    asyncio.run(all_of())


def test_threads_and_tasks_share_one_burst(server: Server, valkey: Valkey) -> None:
    """Eight threads and a loop of 200 tasks, each with a client of its own, ask at once."""
    ask = Ask("everybody", 3600.0, 100)
    passed: list[int] = []

    def ask_often() -> None:
        mine = Valkey(server.url, timeout_s=30.0)
        passed.append(sum(ValkeyLimits(mine).take([ask])[0].allowed for _ in range(25)))
        mine.close()

    async def ask_together() -> None:
        mine = Valkey(server.url, timeout_s=30.0)
        limits = ValkeyLimits(mine)
        answers = await asyncio.gather(*(limits.atake([ask]) for _ in range(200)))
        passed.append(sum(one.allowed for (one,) in answers))
        await mine.aclose()

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for one in threads:
        one.start()
    asyncio.run(ask_together())
    for one in threads:
        one.join()
    assert sum(passed) == 100


def test_a_script_that_the_server_forgot_is_told_again(valkey: Valkey) -> None:
    limits = ValkeyLimits(valkey)
    limits.take([Ask("a", 60.0, 3)])
    valkey.call("SCRIPT", "FLUSH")
    assert limits.take([Ask("a", 60.0, 3)])[0].remaining == 1


@pytest.mark.parametrize("garbage", [b"", b"what", b"1e999", b"-1e999"])
def test_a_key_that_holds_something_else_is_a_store_that_does_not_serve(
    valkey: Valkey, garbage: bytes
) -> None:
    """Or a bucket that is full or empty; never an error of another kind."""
    valkey.call("SET", "{mainstay}:limit:a", garbage)
    try:
        answer = ValkeyLimits(valkey).take([Ask("a", 60.0, 3)])[0]
    except StoreUnavailable:
        return
    assert 0 <= answer.remaining <= 3


def test_not_a_number_is_an_empty_bucket(valkey: Valkey) -> None:
    valkey.call("SET", "{mainstay}:limit:a", "nan")
    assert ValkeyLimits(valkey).take([Ask("a", 60.0, 3)])[0].remaining == 2


def test_a_key_of_another_type_is_refused(valkey: Valkey) -> None:
    valkey.call("RPUSH", "{mainstay}:limit:a", "x")
    with pytest.raises(StoreRefused):
        ValkeyLimits(valkey).take([Ask("a", 60.0, 3)])


@pytest.mark.parametrize(
    "ask",
    [
        Ask("a", 0.0, 1), Ask("a", -1.0, 1), Ask("a", float("nan"), 1), Ask("a", float("inf"), 1),
        Ask("a", 1.0, 0), Ask("a", 1.0, 1, -1),
    ],
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(valkey: Valkey, ask: Ask) -> None:
    with pytest.raises(PolicyMisused):
        ValkeyLimits(valkey).take([ask])


def test_more_limits_than_the_server_should_look_at_are_refused(valkey: Valkey) -> None:
    with pytest.raises(PolicyMisused):
        ValkeyLimits(valkey).take([Ask(str(n), 1.0, 1) for n in range(65)])


def test_no_limits_are_no_question(valkey: Valkey) -> None:
    assert ValkeyLimits(valkey).take([]) == ()


@pytest.mark.parametrize("prefix", ["", "a}", "{", "x" * 101])
def test_a_prefix_that_would_break_the_tag_is_refused(valkey: Valkey, prefix: str) -> None:
    with pytest.raises(PolicyMisused):
        ValkeyLimits(valkey, prefix=prefix)
