"""Whose answer was lost: sent again only where that is as if it had been sent once."""

from typing import Any

import pytest
from tests.contract.stores.losing import Losing
from tests.contract.stores.servers import Valkey

from mainstay import Bulkhead, Policy, Retry
from mainstay.service.outbound.adapters import redis_clients
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder


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
