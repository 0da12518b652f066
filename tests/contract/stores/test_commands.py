"""What Redis clients keep beside the laws of all: pipelines, watches, waiting, channels."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.contract.stores.losing import Losing
from tests.contract.stores.servers import LONG_S, Valkey, until

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Fallback, Policy, Retry, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, BulkheadFull, DeadlineExceeded, MainstayError
from mainstay.service.outbound.adapters import redis_clients
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost
from mainstay.service.outbound.adapters.outcome import NotServed
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder

LIBRARIES = ["redis", "valkey"]


@pytest.fixture
def policy(recorder: Recorder) -> Policy:
    one = Policy(
        name="cache",
        bulkhead=Bulkhead(limit=2),
        breaker=Breaker(failures=50),
        retry=Retry(backoff=(0.001, 0.002), budget=None),
    )
    one.events.add(recorder)
    return one


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(library: str, policy: Policy, valkey: Valkey) -> Iterator[Any]:
    made = getattr(redis_clients, f"{library}_client")(policy, valkey.url, decode_responses=True)
    made.flushall()
    yield made
    made.close()


@asynccontextmanager
async def opened(library: str, policy: Policy, valkey: Valkey) -> AsyncIterator[Any]:
    make = getattr(redis_clients, f"async_{library}_client")
    made = make(policy, valkey.url, decode_responses=True)
    await made.flushall()
    yield made
    await made.aclose()


def test_it_is_the_librarys_own_class(client: Any, library: str) -> None:
    module = __import__(library)
    assert isinstance(client, getattr(module, library.capitalize()))


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "text", "new", "EX", 100),
        ("SET", "text", "new", "KEEPTTL"),
        ("SET", "text", "new", "PXAT", 1),
        ("SETEX", "text", 100, "new"),
        ("PSETEX", "text", 100_000, "new"),
        ("MSET", "text", "new", "other", "new"),
        ("HMSET", "hash", "a", 5),
        ("LTRIM", "list", 1, -1),
        ("EXPIREAT", "text", 1),
        ("PEXPIREAT", "text", 1),
        ("EXPIREAT", "text", 2**33, "NX"),
        ("GETRANGE", "text", 0, 2),
        ("LRANGE", "list", 0, -1),
        ("EXPIRETIME", "text"),
    ],
    ids=lambda command: "-".join(map(str, command)),
)
def test_a_command_whose_answer_is_lost_is_done_once_or_as_if(
    command: tuple[Any, ...], client: Any, library: str, policy: Policy, valkey: Valkey
) -> None:
    """What a caller gets, and what is left behind, is what one sending would have given."""

    def left() -> tuple[Any, ...]:
        return client.mget("text", "other"), client.hgetall("hash"), client.lrange("list", 0, -1)

    def prepare() -> None:
        client.flushall()
        client.set("text", "old")
        client.hset("hash", mapping={"a": 1, "b": 2})
        client.rpush("list", 1, 2, 3, 4, 5)

    prepare()
    answer, expected = client.execute_command(*command), left()
    prepare()
    with Losing(valkey.port, command[0]) as wire:
        make = getattr(redis_clients, f"{library}_client")
        lossy = make(policy, f"redis://127.0.0.1:{wire.port}/0", decode_responses=True)
        try:
            assert lossy.execute_command(*command) == answer
        except ConnectionLost:
            assert wire.times == 1
        else:
            assert wire.times == 2
        finally:
            lossy.close()
    assert left() == expected


def test_a_pipeline_that_reads_what_it_overwrites_is_sent_once(
    client: Any, library: str, policy: Policy, valkey: Valkey
) -> None:
    """Sent twice, it would answer with what it wrote itself."""
    client.set("text", "old")
    with Losing(valkey.port, "SET") as wire:
        make = getattr(redis_clients, f"{library}_client")
        lossy = make(policy, f"redis://127.0.0.1:{wire.port}/0", decode_responses=True)
        with pytest.raises(ConnectionLost):
            lossy.pipeline().get("text").set("text", "new").execute()
        assert lossy.pipeline().set("text", "newer").get("text").execute() == [True, "newer"]
        lossy.close()
    assert wire.times == 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_last_good_answer_stands_in_for_the_same_question_alone(
    kind: str, client: Any, library: str, valkey: Valkey
) -> None:
    client.set("a", "good")
    client.set("b", "other")
    client.rpush("l", 1)
    policy = Policy(name="cache", bulkhead=Bulkhead(limit=2), fallback=Fallback(last_good=3))

    async def ask(made: Any, *command: Any) -> Any:
        answer = made.execute_command(*command)
        return await answer if kind == "async" else answer

    async def all_of_it() -> None:
        make = getattr(redis_clients, f"{'async_' * (kind == 'async')}{library}_client")
        made, another = (make(policy, valkey.url, decode_responses=True) for _ in range(2))
        assert await ask(made, "GET", "a") == "good"
        assert await ask(made, "SET", "c", "1") is True
        assert await ask(made, "LRANGE", "l", 0, -1) == ["1"]
        valkey.kill()
        assert await ask(made, "GET", "a") == "good"
        for whose, command in (
            (made, ("GET", "b")),
            (another, ("GET", "a")),
            (made, ("SET", "c", "1")),
            (made, ("LRANGE", "l", 0, -1)),  # A list that callers could change.
        ):
            with pytest.raises((ConnectFailed, ConnectionLost)):
                await ask(whose, *command)
        for one in (made, another):
            if kind == "async":
                await one.aclose()
            else:
                one.close()

    asyncio.run(all_of_it())


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


def test_a_connection_lost_under_a_watch_is_a_failure_and_not_repeated(
    client: Any, valkey: Valkey, recorder: Recorder
) -> None:
    with client.pipeline() as pipe:
        pipe.watch("a")
        valkey.restart()
        recorder.clear()
        pipe.multi()
        pipe.set("a", 3)
        with pytest.raises(ConnectionLost):
            pipe.execute()
    assert recorder.count(Attempted, outcome="failure") == 1
    assert recorder.count(Retried) == 0
    assert client.get("a") is None


def test_a_pipeline_is_whole_when_it_is_tried_again(
    library: str, valkey: Valkey, recorder: Recorder
) -> None:
    """The library forgets what it has sent; the second attempt must send it too."""
    policy = Policy(
        name="cache",
        bulkhead=Bulkhead(),
        retry=Retry(attempts=20, backoff=(0.2, 2.0), jitter="none", budget=None),
    )
    policy.events.add(recorder)
    client = getattr(redis_clients, f"{library}_client")(policy, valkey.url)
    valkey.kill()

    def back(event: object) -> None:
        if isinstance(event, Retried) and event.attempt == 1:
            valkey.start()

    policy.events.add(back)
    pipe = client.pipeline()
    pipe.incr("a").incr("a")
    assert pipe.execute() == [1, 2]
    assert recorder.count(Retried) >= 1
    client.close()


def test_what_may_be_repeated_is_after_a_lost_connection(
    library: str, policy: Policy, valkey: Valkey, recorder: Recorder
) -> None:
    """The server ends the connection while a command waits for its answer."""
    client = getattr(redis_clients, f"{library}_client")(policy, valkey.url)
    killer = getattr(redis_clients, f"{library}_client")(Policy(bulkhead=Bulkhead()), valkey.url)
    kind = client.connection_pool.connection_class
    send = kind.send_packed_command
    ends: list[int] = []

    def end_and_send(connection: Any, *args: Any, **options: Any) -> Any:
        # The pool has looked at the connection already, and found it well.
        if ends:
            killer.client_kill_filter(_id=ends.pop())
        return send(connection, *args, **options)

    kind.send_packed_command = end_and_send
    ends.append(client.client_id())
    recorder.clear()
    assert client.get("nothing") is None
    assert recorder.count(Retried, reason="ConnectionLost") == 1
    ends.append(client.client_id())
    with pytest.raises(ConnectionLost):
        client.incr("nothing")
    assert recorder.count(Retried) == 1
    client.close()
    killer.close()


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
