"""Lines of real processes: at their ends, across forks, and before readers that don't read."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.system.served import GENEROUS_S
from tests.system.telemetry.logging_program import BATCH, CHILDREN, LINES

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).with_name("logging_program.py")


def started(way: str, **changed: Any) -> subprocess.Popen[bytes]:
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, PROGRAM, way], **{**given, **changed})


def lines_of(written: bytes) -> list[dict[str, Any]]:
    assert written.endswith(b"\n"), written[-300:]
    return [json.loads(line) for line in written.splitlines()]


@pytest.mark.parametrize("way", ["exit", "raise", "SIGKILL", "SIGSEGV", "SIGTERM", "SIGABRT"])
def test_the_last_line_before_the_end_is_there(way: str) -> None:
    written, errors = started(way).communicate(timeout=GENEROUS_S)
    lines = lines_of(written)
    assert len(lines) == (102 if way == "raise" else 101)
    assert lines[100]["event"] == "last words"
    if way == "raise":
        assert lines[101]["level"] == "critical"
        assert lines[101]["exception"].endswith("ValueError: secret=***")
        assert b"hunter22" not in written + errors


def test_forks_write_their_own_lines_once_whole_and_with_their_own_ids() -> None:
    written, errors = started("forked").communicate(timeout=GENEROUS_S)
    assert errors == b""
    lines = lines_of(written)
    forked = [line for line in lines if line["event"] == "forked"]
    assert all(line["trace_id"] == line["expected"] for line in forked)
    assert Counter(line["process"] for line in forked) == dict.fromkeys(range(CHILDREN + 1), LINES)
    for process in range(CHILDREN + 1):
        said = [line["number"] for line in forked if line["process"] == process]
        assert said == list(range(LINES))
    assert len([line for line in lines if line["event"] == "busy"]) == LINES


def test_a_reader_that_is_stuck_stops_nobody_and_what_is_lost_is_counted() -> None:
    """The pipe is full and so is the queue: each call returns, and lines and losses add up."""
    process = started("stuck", stdin=subprocess.PIPE)
    assert process.stderr is not None
    slowest_s, lost = process.stderr.readline().split()
    # The processor may be taken away for a while; a reader of seconds is what it must not wait for.
    assert float(slowest_s) < 2
    written, _ = process.communicate(b"", timeout=GENEROUS_S)
    assert int(lost) > 0
    numbers = [line["number"] for line in lines_of(written) if line["event"] == "stuck"]
    assert numbers == sorted(numbers)
    assert len(numbers) == 30_000 - int(lost)


def test_a_kill_loses_nothing_that_was_said_while_somebody_read() -> None:
    """In the midst of a batch that the pipe has room for; those before it were read."""
    process = started("endless", stdin=subprocess.PIPE, bufsize=0)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    confirmed, written = b"", b""
    for batch in range(10):
        process.stdin.write(b".")
        wanted = batch * BATCH + (BATCH if batch < 9 else BATCH // 3)
        while confirmed.count(b"\n") < wanted:
            confirmed += os.read(process.stderr.fileno(), 100)
        while batch < 9 and written.count(b"\n") < wanted:
            written += os.read(process.stdout.fileno(), 65_536)
    process.send_signal(signal.SIGKILL)
    rest, last = process.communicate(timeout=GENEROUS_S)
    numbers = [line["number"] for line in lines_of(written + rest)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= (confirmed + last).count(b"\n") > 9 * BATCH


@pytest.mark.parametrize("where", ["pipe", "file"])
def test_prints_and_all_loggers_share_stdout(where: str, tmp_path: Path) -> None:
    if where == "file":
        with (tmp_path / "out").open("wb") as file:
            assert started("mixed", stdout=file, stderr=None).wait(GENEROUS_S) == 0
        written = (tmp_path / "out").read_bytes()
    else:
        written, _ = started("mixed").communicate(timeout=GENEROUS_S)
    first, *lines, last = written.splitlines()
    assert (first, last) == (b"printed first", b"printed last")
    events = [json.loads(line)["event"] for line in lines]
    assert events[:2] == ["ours", "standard, with password=***"]
    assert "warned" in events[2]


def test_a_process_without_stdout_works() -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} {PROGRAM} exit >&-"], check=False, timeout=GENEROUS_S
    )
    assert done.returncode == 3
