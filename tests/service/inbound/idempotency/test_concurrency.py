"""Many at once with one key: the work is done exactly once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from tests.service.inbound.idempotency.drive import Asgi, Reply, Request, Wsgi

from mainstay.core.idempotency import Bid, Claim
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.problems.refusal import Refused

MANY = 50


def refused_or(kind: Any, reply: Any) -> str:
    """Return what a request came to."""
    if isinstance(reply, Refused):
        return reply.refusal.kind
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (201, b"made it")
    return "replayed" if "idempotency-replayed" in reply.headers else "first"


def check(outcomes: list[str]) -> None:
    assert outcomes.count("first") == 1
    assert set(outcomes) <= {"first", "replayed", "idempotency-conflict"}


def test_of_fifty_tasks_one_does_the_work() -> None:
    class Slow(Asgi):
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            await asyncio.sleep(0)
            await super().app(scope, receive, send)

    kind = Slow()

    async def all_at_once() -> list[Any]:
        asked = (kind.aanswer(Request()) for _ in range(MANY))
        return await asyncio.gather(*asked, return_exceptions=True)

    check([refused_or(kind, reply) for reply in asyncio.run(all_at_once())])
    assert len(kind.asked) == 1


def test_of_fifty_threads_one_does_the_work() -> None:
    kind = Wsgi()
    together = Barrier(MANY)

    def ask(_: int) -> Any:
        together.wait(30)
        try:
            return kind.answer(Request())
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(MANY) as pool:
        check([refused_or(kind, reply) for reply in pool.map(ask, range(MANY))])
    assert len(kind.asked) == 1


def test_threads_and_loops_share_one_key() -> None:
    kind = Asgi()
    other = Wsgi(records=kind.records, clock=kind.clock)
    together = Barrier(20)

    def ask(number: int) -> Any:
        together.wait(30)
        try:
            return (kind if number % 2 else other).answer(Request())
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(20) as pool:
        check([refused_or(kind, reply) for reply in pool.map(ask, range(20))])
    assert len(kind.asked) + len(other.asked) == 1


class StallingRecords(MemoryRecords):
    """Does what it is asked, and while it stalls never says so.

    Attributes:
        stalls: Whether it does.
    """

    stalls = True

    async def abegin(self, record: str, bid: Bid) -> Claim:
        claim = self.begin(record, bid)
        await self._stall()
        return claim

    async def afinish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        await self._stall()
        return self.finish(record, token, answer, ttl_s)

    async def _stall(self) -> None:
        if self.stalls:
            await asyncio.Event().wait()


async def cancelled(kind: Asgi) -> None:
    """Ask, and be cancelled where the store stalls."""
    task = asyncio.create_task(kind.aanswer(Request()))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def test_a_cancelled_task_gives_back_what_it_may_have_taken() -> None:
    """Cancelled while the store is asked: nothing was done, and the key is free again."""
    records = StallingRecords()
    kind = Asgi(records=records)
    asyncio.run(cancelled(kind))
    records.stalls = False
    assert kind.asked == []
    kind.idempotency.keeper.turn()
    assert kind.ask().status == 201


def test_a_cancelled_task_whose_work_was_done_keeps_its_answer() -> None:
    class StallsLater(StallingRecords):
        async def abegin(self, record: str, bid: Bid) -> Claim:
            return self.begin(record, bid)

    records = StallsLater()
    kind = Asgi(records=records)
    asyncio.run(cancelled(kind))
    kind.idempotency.keeper.turn()
    assert kind.ask().headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1
