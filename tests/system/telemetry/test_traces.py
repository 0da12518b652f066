"""Spans and error reports of real processes: across forks, threads, and at their ends."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.system.served import GENEROUS_S
from tests.system.telemetry.tracing_program import CHILDREN, FAILING, REQUESTS
from tests.telemetry.reports.receiver import receiving as receiving_reports
from tests.telemetry.traces.receiver import receiving

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).with_name("tracing_program.py")
ROOT = Path(__file__).parents[3]


def run(way: str, endpoint: str, dsn: str = "-") -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", PROGRAM, way,
         endpoint, dsn],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=GENEROUS_S,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_processes_that_fork_off_send_their_own_spans_and_reports_once() -> None:
    """Ids are right in every thread of every process, and nothing is sent twice or lost."""
    with receiving() as receiver, receiving_reports() as reported:
        run("forked", receiver.url, reported.dsn)
        spans, reports = receiver.spans, reported.events
        instances = {one["service.instance.id"] for one in receiver.resources}
    assert len(instances) == CHILDREN + 1
    asked = (CHILDREN + 1) * REQUESTS + 1
    assert Counter(one.name for one in spans) == {
        "GET /items/<int:number>": asked,
        "look up": asked,
    }
    assert len({one.span_id for one in spans}) == 2 * asked
    by_trace = {one.trace_id: one for one in spans if not one.parent_span_id}
    assert len(by_trace) == asked
    inner = [one for one in spans if one.name == "look up"]
    assert all(one.parent_span_id == by_trace[one.trace_id].span_id for one in inner)
    failed = (CHILDREN + 1) * (REQUESTS // FAILING)
    assert sum(one.status.code == 2 for one in by_trace.values()) == failed
    assert len(reports) == failed
    traces = {one["contexts"]["trace"]["trace_id"] for one in reports}
    assert traces == {one.trace_id.hex() for one in by_trace.values() if one.status.code == 2}
    said = Counter(
        (one["server_name"].rpartition(".")[2], one["exception"]["values"][-1]["value"])
        for one in reports
    )
    assert set(said.values()) == {REQUESTS // FAILING}
    assert all(told == raised for told, raised in said)


def test_a_program_that_just_ends_sends_what_waits() -> None:
    """Its tracer was made before anything was joined, and its spans belong together."""
    with receiving() as receiver:
        run("job", receiver.url)
        part, job = receiver.spans
    assert (job.name, part.name) == ("job", "part")
    assert part.parent_span_id == job.span_id
    assert part.trace_id == job.trace_id
