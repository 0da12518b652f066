"""Several logs as one stream."""

import json
import os
from pathlib import Path

from mainstay.control.logs.stream import Stream
from mainstay.control.logs.wanted import Wanted


def line(second: int, event: str, **fields: object) -> str:
    at = f"2026-01-31T12:00:{second:02d}.000Z"
    return json.dumps({"timestamp": at, "level": "info", "event": event, **fields}) + "\n"


def stream(folder: Path, *names: str, **wanted: object) -> Stream:
    return Stream(folder=folder, names=names, wanted=Wanted(**wanted))  # type: ignore[arg-type]  # By name.


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_lines_come_by_their_times_and_those_without_stay_with_the_one_before(
    tmp_path: Path,
) -> None:
    append(tmp_path / "a-1.log", line(1, "a1") + "of a1\n" + line(4, "a4") + "of a4\n")
    append(tmp_path / "b-1.log", "before b2\n" + line(2, "b2") + line(3, "b3"))
    found = stream(tmp_path).begin(10)
    said = [(one.fields or {}).get("event", one.text) for one in found]
    assert said == ["a1", "of a1", "before b2", "b2", "b3", "a4", "of a4"]


def test_a_line_that_is_written_late_stands_where_its_time_says(tmp_path: Path) -> None:
    """Law: the proxy writes at the end of a request, and says when it began."""
    append(tmp_path / "edge.log", line(3, "inner") + line(1, "outer"))
    append(tmp_path / "web-1.log", line(2, "web"))
    found = stream(tmp_path).begin(10)
    assert [(one.fields or {})["event"] for one in found] == ["outer", "web", "inner"]


def test_logs_without_any_time_come_by_their_files(tmp_path: Path) -> None:
    append(tmp_path / "a-1.log", "young\n")
    append(tmp_path / "b-1.log", "old\n")
    os.utime(tmp_path / "b-1.log", (1000, 1000))
    assert [one.text for one in stream(tmp_path).begin(10)] == ["old", "young"]


def test_new_replicas_are_followed_from_their_first_line(tmp_path: Path) -> None:
    append(tmp_path / "a-1.log", line(1, "old"))
    following = stream(tmp_path)
    following.begin(0)
    assert following.more(100.0) == []
    append(tmp_path / "a-1.log", line(5, "a") + "no time\n")
    append(tmp_path / "a-2.log", line(4, "b"))
    found = following.more(100.0)
    assert [(one.replica, one.at_s is None) for one in found] == [
        ("a-2", False), ("a-1", False), ("a-1", True),
    ]  # fmt: skip
    following.close()


def test_of_each_log_the_last_lines_that_are_wanted_are_looked_for(tmp_path: Path) -> None:
    text = "".join(line(n, "x", n=n, trace_id=f"{n % 5}" * 32) for n in range(50))
    append(tmp_path / "a-1.log", text)
    found = stream(tmp_path, trace="3333").begin(3)
    assert [(one.fields or {})["n"] for one in found] == [38, 43, 48]


def test_what_comes_is_looked_through_too(tmp_path: Path) -> None:
    following = stream(tmp_path, level="error")
    following.begin(5)
    append(tmp_path / "a-1.log", line(1, "fine") + line(2, "bad").replace("info", "error"))
    assert [(one.fields or {})["event"] for one in following.more(1.0)] == ["bad"]


def test_the_proxys_line_of_a_trace_that_began_behind_it_is_found(tmp_path: Path) -> None:
    """It names the request alone: no caller said which trace it is."""
    append(
        tmp_path / "edge.log", line(1, "ours", request_id="r1") + line(1, "not", request_id="r2")
    )
    append(tmp_path / "web-1.log", line(2, "web", request_id="r1", trace_id="a" * 32))
    append(tmp_path / "web-2.log", line(2, "other", request_id="r1", trace_id="b" * 32))
    found = stream(tmp_path, trace="a" * 32).begin(10)
    assert [(one.fields or {})["event"] for one in found] == ["ours", "web"]
    alone = stream(tmp_path, "edge", trace="aaaa", level="info").begin(10)
    assert [(one.fields or {})["event"] for one in alone] == ["ours"]


def test_it_is_found_also_when_it_comes_later(tmp_path: Path) -> None:
    following = stream(tmp_path, trace="a" * 32)
    following.begin(10)
    append(tmp_path / "edge.log", line(1, "first", request_id="r1"))
    append(tmp_path / "web-1.log", line(2, "web", request_id="r1", trace_id="a" * 32))
    assert len(following.more(1.0)) == 2
    append(tmp_path / "edge.log", line(1, "second", request_id="r1"))
    assert [(one.fields or {})["event"] for one in following.more(2.0)] == ["second"]
    following.close()
