"""What a line says, in whose words ever, and whether somebody wants it."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstay.control.logs.entry import LEVELS, Entry, entry_of, time_of
from mainstay.control.logs.follower import Line
from mainstay.control.logs.wanted import Wanted

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def entry(written: object, replica: str = "web-1") -> Entry:
    text = written if isinstance(written, str) else json.dumps(written)
    return entry_of(Line(replica=replica, text=text))


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ({"level": "error"}, "error"),
        ({"severity": "WARN"}, "warning"),
        ({"levelname": "FATAL"}, "critical"),
        ({"level": 30}, None),
        ({"level": "loud"}, None),
        ({"method": "GET", "status": 503}, "error"),
        ({"method": "GET", "status": 404}, "info"),
        ({"status": 503}, None),
        ("2026-01-31 ERROR:    no stock", "error"),
        ("[Warning] no stock", None),
        ("WARNING: no stock", "warning"),
        ("Traceback (most recent call last):", "error"),
        ("shop.errors.OutOfStockError: 7", "error"),
        ("ready", None),
    ],
)
def test_levels_are_known_by_all_their_names(written: object, level: str | None) -> None:
    assert entry(written).level == level


@pytest.mark.parametrize(
    ("said", "at_s"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.250", 60.25),
        ("1970-01-01 01:01:00+01:00", 60.0),
        (60, 60.0),
        (60.5, 60.5),
        (1_795_000_000_500, 1_795_000_000.5),
        (True, None),
        (float("inf"), None),
        ("soon", None),
        (None, None),
        (10**400, None),
    ],
)
def test_times_are_known_in_all_their_forms(said: object, at_s: float | None) -> None:
    assert time_of(said) == at_s


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.text()))
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
def test_no_time_raises(said: object) -> None:
    found = time_of(said)
    assert found is None or isinstance(found, float)


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_admits_itself_and_worse(level: str) -> None:
    admitted = [one for one in LEVELS if Wanted(level=level).admits(entry({"level": one}))]
    assert admitted == list(LEVELS[LEVELS.index(level) :])


def test_lines_without_a_level_are_info_and_indented_ones_belong_to_their_line() -> None:
    wanted = Wanted(level="error")
    shown = ["Traceback (most recent call last):", '  File "x.py"', "ready", "ValueError: no"]
    assert [one for one in shown if wanted.admits(entry(one))] == [shown[0], shown[1], shown[3]]
    assert Wanted(level="info").admits(entry("ready"))


@pytest.mark.parametrize(
    ("trace", "written", "admitted"),
    [
        (TRACE, {"trace_id": TRACE}, True),
        (TRACE[:4], {"trace_id": TRACE}, True),
        (TRACE[1:], {"trace_id": TRACE}, False),
        (TRACE[:4], {"traceparent": f"00-{TRACE}-{'1' * 16}-01"}, True),
        ("r-1", {"request_id": "r-1"}, True),
        (TRACE, {"note": TRACE}, False),
        (TRACE, f"plain {TRACE}", True),
        (TRACE[:4], f"plain {TRACE}", False),
        (TRACE, {"trace_id": 7}, False),
    ],
)
def test_a_trace_is_told_by_its_beginning(trace: str, written: object, *, admitted: bool) -> None:
    assert Wanted(trace=trace).admits(entry(written)) is admitted


def test_a_pattern_sees_the_line_and_what_json_had_to_escape() -> None:
    assert Wanted(pattern=re.compile("ü.er")).admits(entry({"a": [{"b": "über"}]}))
    assert Wanted(pattern=re.compile('"a": 1')).admits(entry('{"a": 1}'))
    assert not Wanted(pattern=re.compile("^b")).admits(entry({"a": "ab"}))


def test_the_proxys_lines_are_those_of_the_services() -> None:
    wanted = Wanted(services=frozenset({"web"}))
    assert wanted.admits(entry({"service": "web"}, "edge"))
    assert not wanted.admits(entry({"service": "shop"}, "edge"))
    assert wanted.admits(entry("envoy says something", "edge"))
    assert wanted.admits(entry({"service": "shop"}, "shop-1"))


def test_what_is_too_old_is_left_out_where_it_says_so() -> None:
    wanted = Wanted(since_s=60.0)
    assert not wanted.admits(entry({"time": 59.0}))
    assert wanted.admits(entry({"time": 60.0}))
    assert wanted.admits(entry("no time"))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
))  # fmt: skip
def test_any_line_can_be_asked_anything(written: object) -> None:
    wanted = Wanted(level="error", trace=TRACE, pattern=re.compile("x"), since_s=1.0)
    assert wanted.admits(entry(written)) in {True, False}
