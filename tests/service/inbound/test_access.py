import errno
import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.clock import utc_text
from mainstay.core.trace import arrive
from mainstay.service.inbound.access import AccessLog
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.service.inbound.failure import OVERRAN

TRACE = arrive(Random(7))
PIPE_BUF = 4096


def exchange(**changed: Any) -> Exchange:
    made = Exchange()
    given: dict[str, Any] = {
        "method": "GET",
        "path": "/orders",
        "status": 200,
        "started_s": 5.0,
        "size": 17,
        "scope": {TRACE_KEY: TRACE},
        "request_id": TRACE.request_id,
        "client": "127.0.0.1",
        "error": None,
        "refusal": None,
    }
    for name, value in {**given, **changed}.items():
        setattr(made, name, value)
    return made


def write(log: AccessLog, **changed: Any) -> None:
    log.ended(exchange(**changed), 5.0125)


def log_into(sink: list[bytes], *, wall_s: float = 1_800_000_000.25, **changed: Any) -> AccessLog:
    given = {"service": "shop", "version": "v1", "replica": "shop-1", "write": sink.append}
    return AccessLog(**{**given, "wall_s": lambda: wall_s, **changed})


def test_a_line_says_what_happened() -> None:
    sink: list[bytes] = []
    write(log_into(sink))
    assert json.loads(sink[0]) == {
        "time": "2027-01-15T08:00:00.250Z",
        "level": "info",
        "service": "shop",
        "version": "v1",
        "replica": "shop-1",
        "method": "GET",
        "path": "/orders",
        "status": 200,
        "duration_ms": 12.5,
        "bytes": 17,
        "trace_id": TRACE.trace_id,
        "span_id": TRACE.span_id,
        "request_id": TRACE.span_id,
        "client": "127.0.0.1",
    }


@given(
    path=st.text(max_size=5000),
    method=st.text(max_size=60),
    service=st.text(max_size=40),
    replica=st.none() | st.text(max_size=40),
    client=st.none() | st.text(max_size=80),
    error=st.none() | st.text(max_size=300),
    status=st.integers(100, 599),
)
def test_whatever_a_client_sends_is_one_line_of_json(
    *,
    path: str, method: str, service: str, replica: str | None, client: str | None,
    error: str | None, status: int,
) -> None:  # fmt: skip
    """Hostile text can't break a line or forge another; and a pipe takes each line whole."""
    sink: list[bytes] = []
    log = log_into(sink, service=service, replica=replica)
    write(log, path=path, method=method, client=client, error=error, status=status)
    assert len(sink) == 1
    assert len(sink[0]) <= PIPE_BUF + 1200  # The names of the service are its own.
    assert sink[0].endswith(b"\n")
    assert sink[0].count(b"\n") == 1
    line = json.loads(sink[0])
    assert line["service"] == service
    assert line["replica"] == replica
    assert line["method"] == method[:32]
    assert line["path"] == path or (line["path"].endswith("...") and len(path) > 160)
    assert line["level"] == ("error" if status >= 500 else "info")
    assert line.get("error") == (error if error is None else error[:200])


def test_a_problem_is_named() -> None:
    sink: list[bytes] = []
    write(log_into(sink), status=504, refusal=OVERRAN)
    assert json.loads(sink[0])["problem"] == "deadline-exceeded"


def test_a_client_that_left_is_one() -> None:
    sink: list[bytes] = []
    write(log_into(sink), status=0)
    assert json.loads(sink[0])["status"] == 499


@given(st.floats(0, 4e9))
def test_the_time_is_that_of_the_clock_room(wall_s: float) -> None:
    """The shortcut for a second's text says what ``utc_text`` says."""
    sink: list[bytes] = []
    now_s = [wall_s]
    log = log_into(sink)
    log._wall_s = lambda: now_s[0]
    for at_s in (wall_s, wall_s + 0.4, wall_s + 1):
        now_s[0] = at_s
        write(log)
        assert json.loads(sink[-1])["time"] == utc_text(at_s)


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(),
        OSError(errno.ENOSPC, "no space"),
        BlockingIOError(),
        ValueError("closed file"),
    ],
)
def test_a_line_that_cannot_be_written_is_counted(error: Exception) -> None:
    def fail(line: bytes) -> None:
        raise error

    log = log_into([], write=fail)
    write(log)
    write(log)
    assert log.lost == 2
