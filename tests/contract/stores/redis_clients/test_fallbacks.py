"""What stands in for an answer of a Redis client, by the methods that people call."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.stores.servers import Valkey

from mainstay import Breaker, Bulkhead, Fallback, Policy, Retry
from mainstay.service.outbound.adapters import redis_clients
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder

GONE = (ConnectFailed, ConnectionLost)

Connect = Callable[..., "Client"]


class Client:
    """A client of either kind; each method waits for its answer."""

    def __init__(self, kind: str, library: str, valkey: Valkey, said: Fallback) -> None:
        self._runner = asyncio.Runner()
        self.policy = Policy(name="cache", bulkhead=Bulkhead(limit=2), fallback=said)
        make = getattr(redis_clients, f"{'async_' * (kind == 'async')}{library}_client")
        self.error = __import__(library).ResponseError
        self.theirs = make(self.policy, valkey.url, decode_responses=True)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *args, **options: self.wait(getattr(self.theirs, name)(*args, **options))

    def wait(self, answer: Any) -> Any:
        async def one() -> Any:
            return await answer

        return self._runner.run(one()) if inspect.isawaitable(answer) else answer

    def end(self) -> None:
        self.wait(getattr(self.theirs, "aclose", self.theirs.close)())
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def connect(
    request: pytest.FixtureRequest, client: Any, library: str, valkey: Valkey
) -> Iterator[Connect]:
    """Make clients of a server with a few things in it: ``connect(**options of Fallback)``."""
    client.set("a", "good")
    client.set("1", "one")
    client.set("n", "1")
    client.rpush("l", "x", "y")
    client.hset("h", "field", "1")
    client.sadd("s", "member")
    client.zadd("z", {"member": 1.5})
    client.xadd("x", {"field": "1"})
    made: list[Client] = []

    def one(**said: Any) -> Client:
        made.append(Client(request.param, library, valkey, Fallback(**said)))
        return made[-1]

    yield one
    for each in made:
        each.end()


READS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("get", ("a",), {}),
    ("get", ("missing",), {}),
    ("mget", (["a", "missing"],), {}),
    ("exists", ("a",), {}),
    ("strlen", ("a",), {}),
    ("type", ("a",), {}),
    ("hget", ("h", "field"), {}),
    ("hgetall", ("h",), {}),
    ("hmget", ("h", ["field"]), {}),
    ("smembers", ("s",), {}),
    ("sismember", ("s", "member"), {}),
    ("lrange", ("l", 0, -1), {}),
    ("lindex", ("l", 0), {}),
    ("zrange", ("z", 0, -1), {}),
    ("zrange", ("z", 0, -1), {"withscores": True}),
    ("zscore", ("z", "member"), {}),
]


def test_the_methods_that_read_are_answered(connect: Connect, valkey: Valkey) -> None:
    """Each by its own last good answer, and read in its own way."""
    made = connect(last_good=100)
    good = [getattr(made, name)(*args, **options) for name, args, options in READS]
    valkey.kill()
    assert [getattr(made, name)(*args, **options) for name, args, options in READS] == good


def test_what_is_sent_is_the_question(connect: Connect, valkey: Valkey) -> None:
    """1 and 1.0 are equal, and two keys."""
    made = connect(last_good=100)
    assert (made.get(1), made.exists(1)) == ("one", 1)
    valkey.kill()
    assert [made.get(key) for key in (1, "1", b"1", memoryview(b"1"))] == ["one"] * 4
    for name in ("get", "exists"):
        with pytest.raises(GONE):
            getattr(made, name)(1.0)
    with pytest.raises(GONE):
        made.zrange("z", 0, -1, withscores=True)


@pytest.mark.parametrize(
    "said",
    [{"last_good": 100}, {"value": True}, {"function": lambda *_command: True}],
    ids=["last_good", "value", "function"],
)
def test_nothing_stands_in_for_what_does_not_only_read_data(
    said: dict[str, Any], connect: Connect, valkey: Valkey
) -> None:
    """A lock that nobody has, a server that is not there, messages that came before."""
    made = connect(**said)
    asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("ping", (), {}),
        ("time", (), {}),
        ("client_id", (), {}),
        ("xread", ({"x": "0"},), {}),
        ("ttl", ("a",), {}),
        ("scan", (), {}),
        ("set", ("a", "good"), {}),
        ("set", ("lock", "me"), {"nx": True}),
        ("incr", ("n",), {}),
        ("blpop", ("nothing", 0.01), {}),
    ]
    for name, args, options in asked:
        getattr(made, name)(*args, **options)
    valkey.kill()
    for name, args, options in asked:
        with pytest.raises(GONE):
            getattr(made, name)(*args, **options)
    lock = made.theirs.lock("other", timeout=5, blocking=False)
    with pytest.raises(GONE):
        made.wait(lock.acquire())


def test_nothing_stands_in_for_a_watch(connect: Connect, valkey: Valkey) -> None:
    """Else the update after it overwrites what somebody else wrote meanwhile."""
    made = connect(value=None)
    valkey.kill()
    pipe = made.theirs.pipeline()
    with pytest.raises(GONE):
        made.wait(pipe.watch("n"))
    assert not pipe.watching
    assert made.policy.stats().in_flight == 0


def test_nothing_stands_in_for_a_pipeline(connect: Connect, valkey: Valkey) -> None:
    made = connect(value=[])
    valkey.kill()
    for transaction in (True, False):
        pipe = made.theirs.pipeline(transaction=transaction)
        pipe.get("a").set("a", "1")
        with pytest.raises(GONE):
            made.wait(pipe.execute())


def test_a_function_is_given_the_command(connect: Connect, valkey: Valkey) -> None:
    made = connect(function=lambda *command: command)
    valkey.kill()
    assert made.get("a") == ("GET", "a")
    assert made.hget("h", "field") == ("HGET", "h", "field")


def test_a_key_of_ones_own_is_made_from_the_command(connect: Connect, valkey: Valkey) -> None:
    made = connect(last_good=100, key=lambda *command: command[0])
    assert made.get("a") == "good"
    valkey.kill()
    assert made.get("missing") == "good"
    with pytest.raises(GONE):
        made.strlen("a")


def test_who_judges_results_is_shown_those_of_the_client(connect: Connect) -> None:
    """Whatever is kept of them."""
    made, shown = connect(last_good=100), []

    def judge(result: object) -> bool:
        shown.append(result)
        return False

    made.policy.update(replace(made.policy.plan.parts, breaker=Breaker(on_result=judge)))
    answers = [made.get("a"), made.lrange("l", 0, -1), made.hgetall("h")]
    assert shown == answers == ["good", ["x", "y"], {"field": "1"}]


@pytest.mark.parametrize("said", [{"value": "instead"}, {"last_good": 100}])
def test_errors_that_were_answered_are_judged_by_nobody(
    said: dict[str, Any], connect: Connect, recorder: Recorder
) -> None:
    """They are answers, and no results: neither failures nor tried again."""
    made, shown = connect(**said), []

    def judge(result: object) -> bool:
        shown.append(result)
        return True

    recorder.clear()
    made.policy.events.add(recorder)
    made.policy.update(
        replace(
            made.policy.plan.parts,
            breaker=Breaker(failures=50, on_result=judge),
            retry=Retry(attempts=2, backoff=(0.001, 0.002), budget=None, on_result=judge),
        )
    )
    # What may be answered otherwise, what may be sent twice, what may not, and what waits.
    for name, args in (
        ("get", ("l",)), ("set", ("a", "never", 0)), ("incr", ("a",)), ("blpop", ("a", 1)),
    ):  # fmt: skip
        with pytest.raises(made.error):
            getattr(made, name)(*args)
    assert shown == []
    assert recorder.count(Attempted, outcome="success") == 4
    assert recorder.count(Retried) == 0


def test_who_changes_an_answer_changes_nobody_elses(connect: Connect, valkey: Valkey) -> None:
    made = connect(last_good=100)
    made.hgetall("h").clear()
    valkey.kill()
    for _ in range(2):
        found = made.hgetall("h")
        assert found == {"field": "1"}
        found.clear()


def test_a_command_that_is_too_long_is_not_kept(connect: Connect, valkey: Valkey) -> None:
    made = connect(last_good=100)
    assert made.exists("x" * 65_537) == 0
    valkey.kill()
    with pytest.raises(GONE):
        made.exists("x" * 65_537)


def test_what_cannot_be_sent_is_the_clients_to_refuse(connect: Connect, library: str) -> None:
    made = connect(last_good=100)
    with pytest.raises(__import__(library).DataError):
        made.get(None)
