"""Finding traces in the ring."""

from pathlib import Path

import pytest
from tests.control.traces.spans import MS, TRACE, span

from mainstay.control.traces import kept
from mainstay.control.traces.kept import find, ids_of, ids_of_request, listing
from mainstay.control.traces.line import line_of
from mainstay.control.traces.ring import Ring, segments
from mainstay.control.traces.span import KeptSpan

OTHER = "4bf9" + "0" * 27 + "1"


def fill(folder: Path, *spans: KeptSpan) -> None:
    Ring(folder).append([line_of(one) for one in spans], 100.0)


def test_a_trace_is_found_by_its_first_digits(tmp_path: Path) -> None:
    fill(tmp_path, span(1), span(2, 1), span(3, trace_id=OTHER))
    assert ids_of(tmp_path, TRACE) == ids_of(tmp_path, TRACE[:5]) == [TRACE]
    assert ids_of(tmp_path, "4bf9") == [TRACE, OTHER]
    assert ids_of(tmp_path, "4bfa") == []
    assert ids_of(tmp_path / "nowhere", "4bfa") == []


def test_a_trace_is_found_by_its_request(tmp_path: Path) -> None:
    fill(
        tmp_path,
        span(1, attributes={"mainstay.request_id": "r-17"}),
        span(2, trace_id=OTHER, attributes={"note": '"mainstay.request_id":"r-17"'}),
    )
    assert ids_of_request(tmp_path, "r-17") == [TRACE]
    assert ids_of_request(tmp_path, "r-1") == []
    assert ids_of_request(tmp_path, 'r"\\') == []


def test_a_span_that_was_sent_twice_is_one(tmp_path: Path) -> None:
    fill(tmp_path, span(1), span(2, 1))
    fill(tmp_path, span(1), span(3, 1))
    assert [one.span_id[-1] for one in find(tmp_path, TRACE).spans] == ["1", "2", "3"]


def test_spans_of_a_trace_are_bounded_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, *(span(number) for number in range(1, 8)))
    monkeypatch.setattr(kept, "SPANS_MAX", 5)
    found = find(tmp_path, TRACE)
    assert (len(found.spans), found.beyond) == (5, 2)


def test_a_listing_has_a_line_for_each_trace_the_latest_first(tmp_path: Path) -> None:
    # The root comes last, since it ends last.
    fill(
        tmp_path,
        span(2, 1, service="payments", name="charge", status="error"),
        span(1, kind="server", name="GET /", end_ns=span(1).start_ns + 90 * MS,
             attributes={"http.response.status_code": 200, "mainstay.kept": "slow"}),
        span(7, trace_id=OTHER, name="later"),
    )  # fmt: skip
    later, first = listing(tmp_path).summaries
    assert (later.name, later.spans, later.failed, later.status) == ("later", 1, False, None)
    assert (first.trace_id, first.name, first.service, first.spans) == (TRACE, "GET /", "web", 2)
    assert (first.duration_ns, first.failed, first.status, first.kept) == (
        90 * MS,
        True,
        200,
        "slow",
    )
    assert first.services == ("payments", "web")
    only = listing(tmp_path, lambda one: one.service == "payments").summaries
    assert [(one.trace_id, one.spans) for one in only] == [(TRACE, 2)]


def test_a_line_that_is_being_written_is_no_fault(tmp_path: Path) -> None:
    fill(tmp_path, span(1))
    with segments(tmp_path)[0].path.open("ab") as file:
        file.write(line_of(span(2))[:-30])
    assert listing(tmp_path).unreadable == 0
    assert len(find(tmp_path, TRACE).spans) == 1


def test_files_that_hold_something_else_are_counted_and_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, span(1))
    segments(tmp_path)[0].path.write_bytes(
        line_of(span(1)) + b"\x00" * 1000 + b"\n[]\n" + line_of(span(2))[:70] + b"\n"
    )
    found = listing(tmp_path)
    assert (len(found.summaries), found.unreadable) == (1, 3)
    assert len(find(tmp_path, TRACE).spans) == 1
    assert ids_of(tmp_path, TRACE) == [TRACE]
