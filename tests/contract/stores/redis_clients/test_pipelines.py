"""Pipelines are one call; a watch holds its place until the end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.stores.redis_clients.conftest import opened
from tests.contract.stores.servers import LONG_S, Valkey

from mainstay import Breaker, Policy
from mainstay.core.errors import BulkheadFull, MainstayError
from mainstay.service.outbound.events import Attempted
from mainstay.testing import Recorder


def test_a_pipeline_is_one_call(client: Any, recorder: Recorder) -> None:
    recorder.clear()
    with client.pipeline() as pipe:
        answers = pipe.set("a", 1).incr("a").get("a").execute()
    assert answers == [True, 2, "2"]
    assert recorder.count(Attempted) == 1


def test_an_answer_within_a_pipeline_is_no_failure(client: Any, recorder: Recorder) -> None:
    pipe = client.pipeline(transaction=False)
    pipe.set("a", "text").incr("a")
    with pytest.raises(Exception, match="not an integer") as caught:
        pipe.execute()
    assert not isinstance(caught.value, MainstayError)
    assert recorder.count(Attempted, outcome="failure") == 0


def test_a_watch_holds_its_place_until_the_end(client: Any, policy: Policy) -> None:
    client.set("a", 1)
    with client.pipeline() as pipe:
        pipe.watch("a")
        assert policy.stats().in_flight == 1
        value = int(pipe.get("a"))
        pipe.multi()
        pipe.set("a", value + 1)
        assert pipe.execute() == [True]
        assert policy.stats().in_flight == 0
    assert client.get("a") == "2"


def test_a_watch_that_is_left_gives_its_place_back(client: Any, policy: Policy) -> None:
    with client.pipeline() as pipe:
        pipe.watch("a")
    assert policy.stats().in_flight == 0
    with client.pipeline() as one, client.pipeline() as two, client.pipeline() as three:
        one.watch("a")
        two.watch("a")
        with pytest.raises(BulkheadFull):
            three.watch("a")
    assert policy.stats().in_flight == 0


def test_a_watched_key_that_changed_is_an_answer(
    client: Any, library: str, recorder: Recorder
) -> None:
    module = __import__(library)
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.set("a", 2)
        pipe.multi()
        pipe.set("a", 3)
        with pytest.raises(module.WatchError):
            pipe.execute()
    assert recorder.count(Attempted, outcome="failure") == 0


def test_errors_of_pipelines_are_judged_by_nobody(
    library: str, client: Any, policy: Policy
) -> None:
    client.set("a", 1)
    shown: list[Any] = []
    breaker = Breaker(on_result=shown.append)  # type: ignore[arg-type]  # None is as good as False.
    policy.update(replace(policy.plan.parts, breaker=breaker))
    with client.pipeline() as pipe:
        pipe.watch("a")
        assert pipe.get("a") == "1"
        with pytest.raises(__import__(library).ResponseError):
            pipe.lrange("a", 0, -1)
    assert shown == [True, "1"]
    with pytest.raises(__import__(library).ResponseError):
        client.pipeline().get("a").lrange("a", 0, -1).execute()
    assert client.pipeline().get("a").get("b").execute() == ["1", None]
    assert shown == [True, "1", ["1", None]]


async def test_pipelines_and_watches_in_tasks(library: str, policy: Policy, valkey: Valkey) -> None:
    async with opened(library, policy, valkey) as client:
        await client.set("a", 1)
        async with client.pipeline() as pipe:
            await pipe.watch("a")
            assert policy.stats().in_flight == 1
            value = int(await pipe.get("a"))
            pipe.multi()
            pipe.set("a", value + 1).get("a")
            assert await pipe.execute() == [True, "2"]
            assert policy.stats().in_flight == 0
        async with client.pipeline() as pipe:
            await pipe.watch("a")
        assert policy.stats().in_flight == 0


async def test_a_cancelled_watch_gives_its_place_back(
    library: str, policy: Policy, valkey: Valkey
) -> None:
    async with opened(library, policy, valkey) as client:

        async def holds() -> None:
            async with client.pipeline() as pipe:
                await pipe.watch("a")
                await asyncio.sleep(LONG_S)

        task = asyncio.create_task(holds())
        while not policy.stats().in_flight:  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert policy.stats().in_flight == 0
