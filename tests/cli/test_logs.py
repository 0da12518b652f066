"""`mainstay logs`: what is shown of lines, which are shown, and what no line can do."""

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mainstay.cli.log_text import LogText
from mainstay.cli.logs import about, as_object, json_text, pattern_of, since_of
from mainstay.cli.main import main
from mainstay.cli.plain_text import plain
from mainstay.control.engines.local.folder import prepare
from mainstay.control.logs.entry import Entry, entry_of
from mainstay.control.logs.follower import Follower, Line

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUEST = {
    "timestamp": "2026-01-31T12:00:00.123Z", "level": "info", "event": "request",
    "logger": "mainstay.access", "method": "GET", "path": "/items/7", "route": "/items/{id}",
    "status": 200, "duration_ms": 12.345, "bytes": 17, "client": None, "service": "web",
    "version": "1", "replica": "web-1", "environment": "dev", "trace_id": TRACE,
    "span_id": "00f067aa0ba902b7", "request_id": "r-1",
}  # fmt: skip
ORDER = {
    "timestamp": "2026-01-31T12:00:01.000Z", "level": "error", "event": "order failed",
    "logger": "shop.orders", "amount": 12.5, "who": "a b", "service": "web", "replica": "web-1",
    "exception": "Traceback (most recent call last):\n  File x\nValueError: no \x1b[31mstock",
}  # fmt: skip
EDGE = {
    "time": "2026-01-31T12:00:00.500Z", "service": "web", "listener": "public", "method": "GET",
    "path": "/items/7", "status": 503, "duration_ms": 3, "replica": "127.0.0.1:41873",
    "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
}  # fmt: skip


def entry(written: object, replica: str = "web-1") -> Entry:
    text = written if isinstance(written, str) else json.dumps(written)
    return entry_of(Line(replica=replica, text=text))


def shown(written: object, replica: str = "web-1", *, brief: bool = False) -> list[str]:
    return [click.unstyle(line) for line in LogText(brief=brief).lines(entry(written, replica))]


def test_a_request_is_one_short_line() -> None:
    assert shown(REQUEST, brief=True) == [
        "12:00:00.123 INFO  web-1  GET /items/7 200 12.3 ms  route=/items/{id}  bytes=17  "  # noqa: ISC004  One line.
        "request_id=r-1  trace=4bf92f3577b3",
    ]


def test_an_event_stands_before_its_fields_and_an_exception_below() -> None:
    assert shown(ORDER) == [
        "2026-01-31T12:00:01.000Z ERROR web-1  order failed  logger=shop.orders  amount=12.5  "  # noqa: ISC004  One line.
        'who="a b"',
        "    Traceback (most recent call last):",
        "      File x",
        "    ValueError: no stock",
    ]


def test_the_proxys_line_says_service_and_address_and_gets_its_level_from_the_status() -> None:
    assert shown(EDGE, "edge", brief=True) == [
        "12:00:00.500 ERROR edge  GET /items/7 503 3.0 ms  service=web  listener=public  "  # noqa: ISC004  One line.
        "replica=127.0.0.1:41873  trace=4bf92f3577b3",
    ]


def test_any_other_line_is_shown_as_it_is() -> None:
    assert shown("listening on 8000", brief=True)[0].split() == [
        "web-1",
        *["listening", "on", "8000"],
    ]
    assert shown("[1]")[0].endswith("  [1]")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\tb", "a  b"),
        ("one\r\ntwo", "one\\r\\ntwo"),
        ("\u202eevil", "\\u202eevil"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
        ("übel 日本", "übel 日本"),
    ],
)
def test_text_commands_nothing(text: str, seen: str) -> None:
    assert plain(text) == seen


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([*REQUEST, *ORDER, *EDGE, "message", "msg", "severity", "ts"])


@given(st.text() | st.dictionaries(NAMES | st.text(), json_values, max_size=12).map(json.dumps))
def test_no_line_harms_the_terminal_or_ends_the_program(text: str) -> None:
    """Law: whatever is written, one visible line comes of it, and one object in JSON."""
    read = entry(text.replace("\n", " "))
    for brief in (False, True):
        for line in LogText(brief=brief).lines(read):
            assert click.unstyle(line).isprintable()
    assert json.dumps(as_object(read)).isascii()


@given(st.binary())
def test_bytes_that_are_no_text_are_only_shown(raw: bytes) -> None:
    text = raw.replace(b"\n", b"").decode("utf-8", "backslashreplace")
    assert click.unstyle(next(LogText(brief=True).lines(entry(text)))).isprintable()


def test_every_line_becomes_an_object_that_names_its_replica(tmp_path: Path) -> None:
    log = tmp_path / "web-1.log"
    log.write_text('{"status": 200}\n[1]\nplain\n' + "[" * 60_000 + "\n")
    objects = [as_object(entry_of(line)) for line in Follower(path=log).more()]
    assert objects[0] == {"status": 200, "log": "web-1"}
    assert objects[1] == {"message": "[1]", "log": "web-1"}
    assert objects[2] == {"message": "plain", "log": "web-1"}
    assert objects[3]["log"] == "web-1"


def test_nothing_that_was_written_is_lost_to_the_name_of_the_log() -> None:
    """Law: the proxy's line says which replica answered; its own field stays as it is."""
    access = '{"status": 200, "replica": "127.0.0.1:41873"}'
    own = '{"log": "of the app", "n": 1}'
    first, second = (as_object(entry(text, "edge")) for text in (access, own))
    assert first == {"log": "edge", "status": 200, "replica": "127.0.0.1:41873"}
    assert second == {"log": "edge", "message": own}


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e999", "-1e999", "NaN", "1" * 5000])
def test_a_number_that_is_none_ends_nothing(number: str) -> None:
    """Not the pictures, and not the JSON of those who read it by a program."""
    text = json.dumps(REQUEST).replace("12.345", number)
    line = shown(text)[0]
    assert "/items/7" in line
    strict = json.loads(json_text(entry(text)), parse_constant=pytest.fail)
    assert strict["log"] == "web-1"
    assert number[:20] in json.dumps(strict)


def test_a_programs_own_line_about_a_request_keeps_its_event() -> None:
    own = {**ORDER, "event": "own", "method": "POST", "path": "/charge", "status": "declined"}
    line = shown(own)[0]
    assert "  own  " in line
    assert "path=/charge" in line
    assert "status=declined" in line
    assert "logger=shop.orders" in line


def test_since_is_a_time_or_how_long_ago() -> None:
    assert since_of("10m", 1000.0) == 400.0
    assert since_of("1970-01-01T00:01", 1000.0) == 60.0
    assert since_of("1970-01-01T01:00:00+01:00", 1000.0) == 0.0
    with pytest.raises(click.BadParameter, match="neither a duration"):
        since_of("yesterday", 1000.0)


def test_a_wrong_expression_is_one_sentence() -> None:
    assert pattern_of("a+").pattern == "a+"
    with pytest.raises(click.BadParameter, match="no regular expression"):
        pattern_of("(")


def test_a_replica_beside_edge_stands_for_its_service() -> None:
    assert about(["edge"]) == frozenset()
    assert about(["edge", "web-1"]) == {"web-1", "web"}
    assert about(["edge", "web"]) == {"web"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    prepare(tmp_path / ".mainstay")
    logs = tmp_path / ".mainstay" / "logs"
    (logs / "web-1.log").write_text(f"{json.dumps(REQUEST)}\nplain\n{json.dumps(ORDER)}\n")
    (logs / "edge.log").write_text(
        json.dumps(EDGE) + "\n" + json.dumps({**EDGE, "service": "other"}) + "\n"
    )
    return tmp_path


def logs(site: Path, *words: str) -> list[str]:
    result = CliRunner().invoke(main, ["logs", "-C", str(site), *words])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_lines_of_all_logs_come_by_their_time(site: Path) -> None:
    assert [json.loads(line)["log"] for line in logs(site, "--json")] == [
        "web-1", "web-1", "edge", "edge", "web-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["web"], 3),
        (["--service", "web"], 3),
        (["web", "edge"], 4),
        (["edge"], 2),
        (["--level", "error", "web"], 1),
        (["--level", "WARNING", "edge"], 2),
        (["--trace", TRACE[:6]], 3),
        (["--trace", "r-1"], 1),
        (["--grep", "^pla[iy]n"], 1),
        (["--grep", "no .*stock"], 1),
        (["--since", "2026-01-31T12:00:00.4"], 4),
        (["-n", "1"], 2),
        (["-n", "0"], 0),
    ],
)
def test_only_what_was_asked_for_is_shown(site: Path, words: list[str], count: int) -> None:
    assert len(logs(site, "--json", *words)) == count


def test_in_a_pipe_there_are_no_colours_and_whole_times(site: Path) -> None:
    found = logs(site, "web", "--grep", "order")
    assert found[0].startswith("2026-01-31T12:00:01.000Z ERROR web-1  order failed")
    assert not re.search("\x1b", "".join(found))


def test_wrong_words_exit_with_2(site: Path) -> None:
    for words in (["--grep", "("], ["--since", "then"], ["--level", "loud"]):
        result = CliRunner().invoke(main, ["logs", "-C", str(site), *words])
        assert result.exit_code == 2, result.output
