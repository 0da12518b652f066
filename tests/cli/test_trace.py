"""`mainstay trace`: what is found, what is drawn, and what is said when nothing is."""

import json
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.control.traces.spans import BEGAN_NS, MS, TRACE, span

from mainstay.cli.main import COMMANDS, main
from mainstay.cli.plain_text import short_text
from mainstay.cli.trace import WHOLE_S, TraceAmbiguous, TraceNotKept, may_grow
from mainstay.cli.waterfall import ROWS_MAX, duration, waterfall
from mainstay.control.engines.local.folder import prepare
from mainstay.control.traces.kept import Found
from mainstay.control.traces.line import line_of
from mainstay.control.traces.ring import Ring
from mainstay.control.traces.span import KINDS, STATUSES, KeptMoment, KeptSpan

OTHER = "4bf9" + "0" * 27 + "1"
SLOW = "a" * 32
ROOT = span(
    1,
    kind="server",
    name="POST /orders",
    service="storefront",
    end_ns=BEGAN_NS + 101 * MS,
    attributes={"http.response.status_code": 502, "mainstay.request_id": "r-1", "error.type": "502",
                "mainstay.kept": "error"},
    status="error",
)  # fmt: skip
CALL = span(2, 1, name="POST payments", service="storefront", kind="client")
CHARGE = span(
    3, 2, name="POST /charge", service="payments", status="error", message="declined",
    moments=(
        KeptMoment(name="mainstay.retried", at_ns=BEGAN_NS + 4 * MS, attributes={"attempt": 2}),
        KeptMoment(
            name="exception", at_ns=BEGAN_NS + 5 * MS,
            attributes={"exception.type": "Declined", "exception.message": "no\x1b[2J money"},
        ),
    ),
)  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Path:
    prepare(tmp_path / ".mainstay")
    spans = [
        CHARGE,
        CALL,
        ROOT,
        span(
            1,
            trace_id=OTHER,
            name="GET /",
            start_ns=BEGAN_NS + 9000 * MS,
            end_ns=BEGAN_NS + 9001 * MS,
        ),
        span(1, trace_id=SLOW, name="slow", end_ns=BEGAN_NS + 5000 * MS),
    ]
    Ring(tmp_path / ".mainstay" / "traces").append([line_of(one) for one in spans], 100.0)
    return tmp_path


def run(site: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["trace", "-C", str(site), *words])


def test_the_command_is_known() -> None:
    assert "trace" in COMMANDS


@pytest.mark.parametrize(
    "ident",
    [TRACE, TRACE[:6], TRACE.upper(), f"00-{TRACE}-{'1' * 16}-01", "r-1", f" {TRACE} "],
)
def test_a_trace_is_found_by_whatever_names_it(site: Path, ident: str) -> None:
    found = json.loads(run(site, ident, "--json").output)
    assert found["trace_id"] == TRACE
    assert [one["name"] for one in found["spans"]] == [
        "POST /orders",
        "POST payments",
        "POST /charge",
    ]
    assert found["spans"][2]["events"][0]["attributes"] == {"attempt": 2}


def test_a_request_is_drawn_as_a_tree_with_times_to_scale(site: Path) -> None:
    lines = run(site, TRACE).output.splitlines()
    heading, root, call, charge, retried, raised = lines
    assert heading.split("  ")[0] == TRACE
    assert heading.endswith("100 ms  3 spans  2 services  2 failed".replace("100 ms", "100.0 ms"))
    assert root.startswith("storefront  POST /orders  502  kept=error ")
    assert "error=" not in root
    assert call.startswith("└─ storefront  POST payments ")
    assert charge.startswith("   └─ payments  POST /charge  (declined) ")
    assert "·" in retried
    assert retried.endswith("mainstay.retried  attempt=2")
    assert raised.endswith(r"Declined: no\x1b[2J money")
    assert root.count("█") > 10 * max(1, call.count("█"))
    assert "1.00 ms" in call
    assert "5.00 ms" in call


def test_the_latest_are_listed_first_the_slowest_on_demand(site: Path) -> None:
    assert [one["name"] for one in json.loads(run(site, "--json").output)] == [
        "GET /", "POST /orders", "slow",
    ]  # fmt: skip
    slowest = json.loads(run(site, "--slowest", "--json", "-n", "1").output)
    assert [one["trace_id"] for one in slowest] == [SLOW]
    failed = json.loads(run(site, "--failed", "--json").output)
    assert [(one["status"], one["kept"], one["spans"]) for one in failed] == [(502, "error", 3)]
    of_service = json.loads(run(site, "--service", "payments", "--json").output)
    assert [one["trace_id"] for one in of_service] == [TRACE]


def test_a_listing_is_a_table_that_names_what_was_left_out(site: Path) -> None:
    done = run(site, "-n", "2")
    lines = done.output.splitlines()
    assert lines[0].split() == [
        "trace",
        "began",
        "(UTC)",
        "took",
        "spans",
        "request",
        "status",
        "services",
    ]
    assert lines[2].startswith("4bf92f3577b3")
    assert "502 failed kept: error" in lines[2]
    assert lines[-1] == "1 more: -n 3"


def test_on_a_narrow_terminal_ids_and_times_are_whole(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "70")
    lines = click.unstyle(run(site).output).splitlines()
    assert lines[2].startswith("4bf92f3577b3  2026-11-18 11:06:40")
    assert "100.0 ms" in lines[2]
    assert all(cell_len(line) <= 70 for line in lines)


def test_a_trace_that_ended_just_now_is_waited_for() -> None:
    """Each service sends its own spans: the first ones that came are no whole trace."""
    found = Found(trace_id=TRACE, spans=(ROOT, CALL))
    ended_s = ROOT.end_ns / 1e9
    assert may_grow(found, ended_s + WHOLE_S - 0.1)
    assert not may_grow(found, ended_s + WHOLE_S + 0.1)


def test_what_is_not_kept_is_one_sentence_that_says_why_and_what_to_do(site: Path) -> None:
    done = run(site, "beef")
    assert isinstance(done.exception, TraceNotKept)
    for words in ("'beef'", "sampled out", "sample: 100%", "traceparent", "mainstay logs --trace"):
        assert words in str(done.exception)
    assert "\n" not in str(done.exception)


@pytest.mark.parametrize("ident", ["4", "abc", "4BF"])
def test_too_few_digits_are_said_to_be_too_few(site: Path, ident: str) -> None:
    said = str(run(site, ident).exception)
    assert f"'{ident}'" in said
    assert "4 digits at least" in said
    assert "sampled" not in said


def test_an_id_that_could_command_a_terminal_is_only_shown(site: Path) -> None:
    assert str(run(site, "\x1b[2J").exception).isprintable()


def test_digits_that_several_traces_begin_with_are_refused_with_their_ids(site: Path) -> None:
    done = run(site, "4bf9")
    assert isinstance(done.exception, TraceAmbiguous)
    assert TRACE in str(done.exception)
    assert OTHER in str(done.exception)


def test_nothing_kept_is_said_and_no_failure(tmp_path: Path) -> None:
    prepare(tmp_path / ".mainstay")
    done = run(tmp_path)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no trace is kept" in done.stderr
    assert json.loads(run(tmp_path, "--json").stdout) == []


def test_lines_that_can_t_be_read_are_told(site: Path) -> None:
    with next((site / ".mainstay" / "traces").glob("spans-*")).open("ab") as file:
        file.write(b"\x00\x00\n")
    assert "1 line of spans can't be read" in run(site).stderr
    assert len(json.loads(run(site, "--json").stdout)) == 3


@pytest.mark.parametrize(
    ("ms", "text"), [(0.0, "0.00 ms"), (9.994, "9.99 ms"), (42.06, "42.1 ms"), (100_000, "100.0 s")]
)
def test_durations(ms: float, text: str) -> None:
    assert duration(round(ms * MS)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034523452345234523, "0.0345235"), (2.5, "2.5"), (100.0, "100"), (1e-9, "1e-09"),
        (1234567.891, "1234567.891"), (7, "7"), (True, "true"), ("a b", '"a b"'),
        (float("inf"), "Infinity"),
    ],
)  # fmt: skip
def test_numbers_have_as_many_digits_as_people_read(value: object, text: str) -> None:
    assert short_text(value) == text


def test_an_attribute_of_a_span_is_short() -> None:
    moment = KeptMoment(name="retried", at_ns=BEGAN_NS, attributes={"delay_s": 0.034523452345})
    found = Found(trace_id=TRACE, spans=(replace(ROOT, moments=(moment,)),))
    assert any(line.endswith("delay_s=0.0345235") for line in map(click.unstyle, waterfall(found)))


def test_a_trace_of_thousands_of_spans_is_cut_with_a_word() -> None:
    spans = tuple(span(number) for number in range(1, ROWS_MAX + 11))
    lines = list(waterfall(Found(trace_id=TRACE, spans=spans, beyond=5), columns=100))
    assert len(lines) == ROWS_MAX + 2
    assert click.unstyle(lines[-1]).startswith("15 more spans")


anything = st.text(max_size=30)
attributes = st.dictionaries(
    st.sampled_from(["http.response.status_code", "error.type", "mainstay.kept"]) | anything,
    anything | st.integers() | st.none() | st.lists(anything, max_size=2),
    max_size=3,
)


@st.composite
def kept_spans(draw: st.DrawFn) -> KeptSpan:
    start_ns = draw(st.integers(0, 2**63 - 1))
    return span(
        draw(st.integers(1, 6)),
        draw(st.none() | st.integers(1, 7)),
        service=draw(anything),
        name=draw(anything),
        kind=draw(st.sampled_from(KINDS)),
        status=draw(st.sampled_from(STATUSES)),
        message=draw(anything),
        start_ns=start_ns,
        end_ns=draw(st.integers(start_ns, 2**63 - 1)),
        attributes=draw(attributes),
        moments=tuple(
            KeptMoment(name=draw(anything), at_ns=draw(st.integers(0, 2**63 - 1)), attributes=one)
            for one in draw(st.lists(attributes, max_size=2))
        ),
    )


@given(st.lists(kept_spans(), min_size=1, max_size=6), st.integers(1, 200))
def test_whatever_spans_say_their_picture_harms_no_terminal(
    spans: list[KeptSpan], columns: int
) -> None:
    """Law: each span has a line, within the terminal's width, and nothing in it is a command."""
    there = tuple({one.span_id: one for one in spans}.values())
    found = Found(trace_id=TRACE, spans=there)
    lines = [click.unstyle(line) for line in waterfall(found, columns=columns)]
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 1 + sum(1 + len(one.moments) for one in there)
    bare = Found(trace_id=TRACE, spans=tuple(replace(one, moments=()) for one in there))
    rows = [click.unstyle(line) for line in waterfall(bare, columns=columns)][1:]
    assert all(cell_len(row) <= max(60, columns) for row in rows)
