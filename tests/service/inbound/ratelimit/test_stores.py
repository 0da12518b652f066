"""A store that counts for all replicas: it goes away and comes back, and nobody notices much."""

import asyncio
from collections.abc import Callable

import pytest
from tests.service.inbound.ratelimit.kit import World, header, limit, request

from mainstay.core.errors import StoreUnavailable
from mainstay.core.limits import Answers
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.ratelimit.events import LimitStoreBack, LimitStoreLost

STATE = b"ratelimit"


def changes(world: World) -> list[str]:
    kinds = (LimitStoreLost, LimitStoreBack)
    return [type(one).__name__ for one in world.heard if isinstance(one, kinds)]


def test_a_store_is_asked_only_where_a_limit_names_one() -> None:
    assert World(limit("1/s", store="cache"), stored=True).limits.waits
    assert not World(limit("1/s"), stored=True).limits.waits
    assert not World(limit("1/s", store="cache")).limits.waits


def test_all_limits_with_a_store_are_asked_in_one_call() -> None:
    world = World(
        limit("9/d", store="cache"),
        limit("8/d", store="cache", name="key", by="header:X-Key", headers="always"),
        limit("7/d", store="cache", name="login", routes=("/login",), cost=2),
        stored=True,
    )
    exchange = request(headers={b"x-key": b"hunter2"})
    assert world.passes(exchange)
    [[first, second]] = world.store.asked
    assert first == ("shop:default:203.0.113.9", 9600.0, 9, 1)
    assert second.key.startswith("shop:key:")
    assert "hunter2" not in second.key
    assert header(exchange, STATE) == b'"key";r=7;t=10800'
    assert world.passes(request("/login"))
    assert world.store.asked[-1][-1] == ("shop:login:203.0.113.9", 86400 / 7, 7, 2)


def test_all_replicas_come_to_the_same_key() -> None:
    asked = []
    for _ in range(2):
        world = World(limit("9/d", store="cache", by="header:X-Key"), stored=True)
        world.passes(request(headers={b"x-key": b"k"}))
        asked += world.store.asked
    assert asked[0] == asked[1]


def test_what_the_store_refuses_is_refused() -> None:
    world = World(limit("2/min", store="cache"), stored=True)
    assert world.passing(5) == 2
    exchange = request()
    refusal = world.limits.ask_store(exchange)
    assert refusal is not None
    assert refusal.headers == ((b"retry-after", b"30"),)
    assert header(exchange, STATE) == b'"default";r=0;t=30'


def test_a_limit_in_memory_and_one_in_the_store_count_together_or_not_at_all() -> None:
    world = World(
        limit("4/d"), limit("2/d", store="cache", name="key", by="header:X-Key"), stored=True
    )
    assert world.passing(3, headers={b"x-key": b"k"}) == 2
    # What the store refused was given back here: two of four are left.
    assert world.passing(3, headers={b"x-key": b"l"}) == 2
    # What memory refuses is not asked of the store.
    asked = len(world.store.asked)
    assert world.passing(3, headers={b"x-key": b"m"}) == 0
    assert len(world.store.asked) == asked
    assert world.passing(3, headers={b"x-key": b"m"}, client="203.0.113.10") == 2


def test_while_the_store_is_away_each_replica_has_its_share() -> None:
    world = World(limit("9/s", store="cache"), stored=True, share=1 / 3)
    world.store.away = True
    assert world.passing(9) == 3
    world.clock.advance(1)
    assert world.passing(9) == 3


def test_the_share_follows_the_number_of_replicas_while_the_store_is_away() -> None:
    world = World(limit("12/s", store="cache"), stored=True, share=1 / 3)
    world.store.away = True
    assert world.passing(12) == 4
    world.share = 1 / 6
    world.clock.advance(1)
    assert world.passing(12) == 2
    world.share = 1.0
    assert world.passing(12) == 0, "it is looked at once a second"
    world.clock.advance(1)
    assert world.passing(20) == 12


def test_another_share_gives_back_no_quota() -> None:
    world = World(limit("12/min", store="cache"), stored=True, share=1 / 2)
    world.store.away = True
    assert world.passing(12) == 6
    world.share = 1.0
    world.clock.advance(1)
    assert world.passing(12) == 0
    world.clock.advance(29)
    assert world.passing(12) == 6


@pytest.mark.parametrize(("rate", "cost", "passed"), [("1/s", 1, 1), ("9/s", 5, 1)])
def test_a_share_never_makes_a_request_impossible(rate: str, cost: int, passed: int) -> None:
    world = World(limit(rate, store="cache", cost=cost), stored=True, share=1 / 64)
    world.store.away = True
    assert world.passing(9) == passed


def test_nobody_begins_anew_when_the_store_goes_away() -> None:
    """Who has spent everything in the store has spent everything here."""
    world = World(limit("9/min", store="cache"), stored=True, share=1 / 3)
    assert world.passing(20) == 9
    world.store.away = True
    assert world.passing(20) == 0
    assert world.passing(20, client="203.0.113.10") == 3
    world.clock.advance(20)
    assert world.passing(20) == 1


def test_what_was_spent_alone_still_counts_when_the_store_goes_away_again() -> None:
    world = World(limit("9/min", store="cache"), stored=True, share=1 / 3)
    world.store.away = True
    assert world.passing(20) == 3
    world.store.away = False
    # The store has not heard of those three: at most one burst more, in all.
    assert world.passing(5) == 5
    world.store.away = True
    assert world.passing(20) == 0


def test_a_limit_in_memory_gets_back_what_the_share_refuses() -> None:
    world = World(
        limit("5/d"), limit("2/d", store="cache", name="b", by="service"), stored=True, share=0.5
    )
    world.store.away = True
    assert world.passing(3) == 1
    world.store.away = False
    assert world.passing(9) == 2
    assert world.passing(9, client="203.0.113.10") == 0
    world.clock.advance(86_400)
    assert world.passing(9) == 2


def test_each_change_is_told_once() -> None:
    world = World(limit("100/s", store="cache"), stored=True)
    for away in (False, True, True, False, False, True):
        world.store.away = away
        world.passing(3)
        world.clock.advance(1)
    assert changes(world) == ["LimitStoreLost", "LimitStoreBack", "LimitStoreLost"]


def test_a_store_that_answers_now_and_then_is_not_told_of_each_time() -> None:
    """An answer may have been on its way; and who writes these events down has a disk."""
    world = World(limit("100000/s", store="cache"), stored=True)
    for step in range(1000):
        world.store.away = step % 2 == 0
        world.passing(1)
        world.clock.advance(0.01)
    assert len(changes(world)) <= 2 * 10


async def test_a_client_that_leaves_while_the_store_is_asked_breaks_nothing() -> None:
    world = World(limit("1/d"), limit("5/d", store="cache", name="b"), stored=True)

    class Never:
        def take(self, asks: object) -> Answers:
            raise AssertionError

        async def atake(self, asks: object) -> Answers:
            await asyncio.Event().wait()
            raise StoreUnavailable("never", begun=True)

    store, world.limits._store = world.limits._store, Never()
    task = asyncio.create_task(world.limits.aask(request()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    world.limits._store = store
    assert changes(world) == []
    # It arrived, so it is counted.
    assert not world.passes(request())
    assert world.passes(request(client="203.0.113.10"))


async def test_tasks_and_threads_get_the_same_answers() -> None:
    def made() -> World:
        return World(
            limit("7/min"),
            limit("5/min", store="cache", name="b", costs=(("/dear", 2),)),
            limit("2/min", store="cache", name="c", routes=("/login",)),
            stored=True,
            share=0.5,
        )

    async def story(world: World, ask: Callable[[Exchange], Refusal | None] | None) -> list[object]:
        told: list[object] = []
        for step in range(60):
            world.store.away = step % 20 > 12
            exchange = request(("/", "/login", "/dear")[step % 3], client=f"10.0.0.{step % 4}")
            refusal = await world.limits.aask(exchange) if ask is None else ask(exchange)
            told.append((refusal, exchange.noted))
            world.clock.advance(1.5)
        return [*told, *world.heard]

    first, second = made(), made()
    assert await story(first, None) == await story(second, second.limits.ask_store)
    assert changes(first) == ["LimitStoreLost", "LimitStoreBack"] * 2 + ["LimitStoreLost"]
