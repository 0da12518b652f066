"""Which commands may be sent twice, and how long they wait by themselves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.adapters.redis_clients.commands import (
    _STOOD_IN,
    may_be_stood_in_for,
    may_repeat,
    may_repeat_all,
    own_wait_s,
)


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "a"),
        ("get", "a"),
        (b"GET", b"a"),
        ("MGET", "a", "b"),
        ("SET", "a", "1"),
        ("SET", "a", "1", "EX", 10),
        ("SET", "a", b"1", b"px", 10, "KEEPTTL"),
        ("SETEX", "a", 10, "1"),
        ("CLIENT LIST",),
        ("CLIENT", "LIST"),
        ("XREAD", "STREAMS", "s", "0"),
        ("ZRANGE", "z", 0, -1),
    ],
)
def test_these_change_nothing_when_sent_twice(command: tuple[object, ...]) -> None:
    assert may_repeat(command)


@pytest.mark.parametrize(
    "command",
    [
        ("INCR", "a"),
        ("LPUSH", "a", "1"),
        ("SADD", "a", "1"),  # The answer tells who was first.
        ("DEL", "a"),
        ("SET", "a", "1", "NX"),
        ("SET", "a", "1", "GET"),
        ("SET", "a", "1", "IFEQ", "0"),
        ("SETNX", "a", "1"),
        ("GETDEL", "a"),
        ("EVAL", "return 1", 0),
        ("XREAD", "BLOCK", 10, "STREAMS", "s", "$"),
        ("XREADGROUP", "GROUP", "g", "me", "STREAMS", "s", ">"),
        ("CLIENT", "KILL", "ID", 1),
        ("BLPOP", "a", 1),
        ("SOMETHING.NEW", "a"),
        ("PUBLISH", "news", "x"),
        ("LTRIM", "l", 1, -1),  # It counts from what the first one left.
        ("EXPIREAT", "a", 1),  # In the past, it deletes: the second one finds no key.
        ("PEXPIREAT", "a", 2**50, "NX"),
        (),
    ],
)
def test_these_are_sent_once(command: tuple[object, ...]) -> None:
    assert not may_repeat(command)


GET, SET, MSET, INCR = ("GET", "a"), ("SET", "a", 1), (b"MSET", "a", 1), ("INCR", "a")


@pytest.mark.parametrize(
    ("commands", "repeats"),
    [
        ([], True),
        ([GET, GET], True),
        ([SET, MSET], True),
        ([SET, GET], True),
        ([GET, SET], False),  # The second time it would read what it then overwrites.
        ([SET, GET, MSET], False),
        ([SET, INCR], False),
        ([()], False),
    ],
)
def test_what_may_be_sent_twice_together(
    commands: list[tuple[object, ...]], *, repeats: bool
) -> None:
    assert may_repeat_all(commands) is repeats


@pytest.mark.parametrize(
    ("command", "wait_s"),
    [
        (("GET", "a"), 0),
        (("BLPOP", "a", "b", 5), 5),
        (("BLPOP", "a", b"0.5"), 0.5),
        (("brpop", "a", 0), math.inf),
        (("BLMOVE", "a", "b", "LEFT", "RIGHT", 2), 2),
        (("BZMPOP", 3, 1, "z", "MIN"), 3),
        (("BLMPOP", 0, 1, "z", "LEFT"), math.inf),
        (("XREAD", "STREAMS", "s", "0"), 0),
        (("XREAD", "COUNT", 1, "BLOCK", 1500, "STREAMS", "s", "$"), 1.5),
        (("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"), math.inf),
        (("XREAD", "COUNT", 1, "BLOCK"), 0),
        (("WAIT", 1, 250), 0.25),
        (("BLPOP", "a", "soon"), 0),
        (("BLPOP", "a", -1), 0),
        (("BLPOP", "a", "nan"), 0),
        (("BLPOP",), 0),
        ((), 0),
    ],
)
def test_how_long_a_command_waits(command: tuple[object, ...], wait_s: float) -> None:
    assert own_wait_s(command) == pytest.approx(wait_s)


_NAMES = st.sampled_from(["BLPOP", "XREAD", "BLMPOP", "WAIT", "SET", "GET", "CLIENT", b"BRPOP"])
_PART = st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none(), _NAMES)


@given(name=_NAMES, rest=st.lists(_PART, max_size=6))
def test_whatever_is_sent_gets_an_answer(name: object, rest: list[object]) -> None:
    command = (name, *rest)
    wait_s = own_wait_s(command)
    assert wait_s >= 0
    if may_repeat(command):
        assert wait_s == 0


@pytest.mark.parametrize(
    "command",
    [("GET", "a"), (b"mget", b"a"), ("HGETALL", "h"), ("EXISTS", "a"), ("ZRANGE", "z", 0, -1)],
)
def test_a_fallback_may_answer_these(command: tuple[object, ...]) -> None:
    assert may_be_stood_in_for(command)


@pytest.mark.parametrize(
    "command",
    [
        ("SET", "a", "1"),
        ("SET", "lock", "me", "NX"),
        ("EVALSHA", "release", 1, "lock"),
        ("INCR", "a"),
        ("WATCH", "a"),
        ("MULTI",),
        ("EXEC",),
        ("PING",),
        ("TIME",),
        ("CLIENT", "ID"),
        ("CLIENT ID",),
        ("XREAD", "STREAMS", "s", "0"),
        ("XREAD", "BLOCK", 10, "STREAMS", "s", "$"),
        ("SCAN", 0),
        ("TTL", "a"),
        ("SRANDMEMBER", "s"),
        ("BLPOP", "a", 1),
        ("SOMETHING.NEW", "a"),
        (),
    ],
)
def test_a_fallback_may_not_answer_these(command: tuple[object, ...]) -> None:
    assert not may_be_stood_in_for(command)


def test_what_a_fallback_may_answer_may_be_sent_twice() -> None:
    assert all(may_repeat((name, "a", "b")) for name in _STOOD_IN)
