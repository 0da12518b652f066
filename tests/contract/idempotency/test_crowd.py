"""Fifty requests at once with one key, at two replicas, over each store: the work is done once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

from tests.contract.conftest import Run
from tests.service.inbound.idempotency.drive import Asgi, Reply, Request, Wsgi

from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.problems.refusal import Refused

MANY = 50


def request() -> Request:
    return Request(headers={"idempotency-key": uuid4().hex})


def check(replies: list[Any]) -> None:
    """Check that one got the work's answer, and others that or a word to wait."""
    firsts = 0
    for reply in replies:
        if isinstance(reply, Refused):
            assert reply.refusal.kind == "idempotency-conflict"
        else:
            assert isinstance(reply, Reply)
            assert (reply.status, reply.body) == (201, b"made it")
            firsts += "idempotency-replayed" not in reply.headers
    assert firsts == 1


def test_tasks(records: Records, run: Run) -> None:
    replicas = (Asgi(records=records), Asgi(records=records))
    one = request()

    async def all_at_once() -> list[Any]:
        asked = (replicas[number % 2].aanswer(one) for number in range(MANY))
        return await asyncio.gather(*asked, return_exceptions=True)

    check(run(all_at_once()))
    assert len(replicas[0].asked) + len(replicas[1].asked) == 1


def test_threads(records: Records) -> None:
    replicas = (Wsgi(records=records), Wsgi(records=records))
    one, together = request(), Barrier(MANY)

    def ask(number: int) -> Any:
        together.wait(60)
        try:
            return replicas[number % 2].answer(one)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(MANY) as pool:
        check(list(pool.map(ask, range(MANY))))
    assert len(replicas[0].asked) + len(replicas[1].asked) == 1
