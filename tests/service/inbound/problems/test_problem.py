"""Problem documents: what is told, in what form, and what is never told."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.service.inbound.problems.problem import Problems, phrase
from mainstay.service.inbound.problems.problem_kinds import KINDS
from mainstay.service.inbound.problems.problems_page import problems_page
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.perimeter import PROBLEM_TYPES

ROOT = Path(__file__).parents[4]
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"

PROBLEMS = Problems()
render, convert = PROBLEMS.render, PROBLEMS.convert
FAILED = Refusal.of("internal-error", "The service failed to answer.")


def read(document: bytes) -> dict[str, Any]:
    """Return a document, read as strictly as JSON is meant. Any: JSON."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        assert len(found) == len(pairs), "a member came twice"
        return found

    def never(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(document, object_pairs_hook=once, parse_constant=never)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_whole_document(kind: str) -> None:
    refusal = Refusal.of(kind, "A sentence.")
    assert read(render(refusal, TRACE_ID, "r-1")) == {
        "type": PROBLEM_TYPES + kind,
        "title": KINDS[kind].title,
        "status": KINDS[kind].status,
        "detail": "A sentence.",
        "trace_id": TRACE_ID,
        "request_id": "r-1",
    }
    assert refusal.status == KINDS[kind].status


@given(st.text(), st.text(), st.one_of(st.none(), st.text()))
def test_any_text_is_told_as_it_is(detail: str, trace_id: str, request_id: str | None) -> None:
    document = render(Refusal.of("overloaded", detail), trace_id, request_id)
    assert document.isascii()
    found = read(document)
    assert found["detail"] == detail
    assert found["trace_id"] == trace_id
    assert found.get("request_id") == request_id


def test_a_kind_of_somebody_elses_says_what_its_refusal_says() -> None:
    own = Refusal(status=402, kind="not-paid", title="Not paid", detail="Pay.")
    found = read(render(own, TRACE_ID, None))
    assert found["type"] == PROBLEM_TYPES + "not-paid"
    assert (found["status"], found["title"]) == (402, "Not paid")
    other_status = Refusal(status=500, kind="overloaded", title="Overloaded", detail="x")
    assert read(render(other_status, TRACE_ID, None))["status"] == 500


def test_types_may_lead_to_documentation_of_ones_own() -> None:
    problems = Problems("https://docs.example.com/problems#")
    found = read(problems.render(FAILED, TRACE_ID, None))
    assert found["type"] == "https://docs.example.com/problems#internal-error"


def test_an_answer_that_is_a_problem_already_stays() -> None:
    for media in ("application/problem+json", "Application/Problem+JSON; charset=utf-8"):
        for status in (404, 500):
            assert convert(status, media, b'{"type":"x"}', TRACE_ID, None) is None
    in_all_but_name = b'{"type":"x","title":"y","status":409,"left":3}'
    assert convert(409, "application/json", in_all_but_name, TRACE_ID, None) is None


@pytest.mark.parametrize("media", ["application/xml", "application/vnd.api+json", "image/png"])
def test_a_form_of_the_apps_own_stays_unless_it_failed(media: str) -> None:
    assert convert(404, media, b"<own/>", TRACE_ID, None) is None
    document = convert(503, media, b"<own/>", TRACE_ID, None)
    assert document is not None
    assert read(document)["status"] == 503


BODIES = st.one_of(
    st.binary(max_size=300),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["detail", "message", "errors", "extra", "loc", "msg", "key", "type", "id"]
                )
                | st.text(max_size=5),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)
MEDIA = st.sampled_from(
    [None, "", "application/json", "text/html; charset=utf-8", "text/plain", "x", ";", "a/b"]
)


@settings(max_examples=1000, deadline=None)
@given(st.integers(400, 599), MEDIA, BODIES)
def test_any_answer_becomes_a_document_or_stays(
    status: int, media: str | None, body: bytes
) -> None:
    document = convert(status, media, body, TRACE_ID, "r")
    if document is None:
        assert status < 500
        return
    found = read(document)
    assert found["status"] == status
    assert (found["trace_id"], found["request_id"]) == (TRACE_ID, "r")
    assert found["title"]
    assert found["type"] in {"about:blank", PROBLEM_TYPES + "input-invalid"}


@given(st.integers(500, 599), MEDIA, st.binary(min_size=1))
def test_of_a_server_error_nothing_is_kept(status: int, media: str | None, body: bytes) -> None:
    """Whatever the body was, the document is the same."""
    assert convert(status, media, body, TRACE_ID, None) == convert(
        status, "application/json", b'{"detail":"password hunter2"}', TRACE_ID, None
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"left":1e999}',
        b'{"left":NaN,"right":[Infinity]}',
        b"[" * 100_000,
        b'{"a":' * 5000,
        b'{"n":' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b'{"detail":"\\ud800"}',
        b"",
    ],
)
def test_json_that_no_reader_would_take_is_not_handed_on(body: bytes) -> None:
    document = convert(400, "application/json", body, TRACE_ID, None)
    assert document is not None
    assert read(document)["status"] == 400


def test_a_status_without_a_name_has_a_title() -> None:
    assert phrase(404) == "Not Found"
    assert phrase(499) == "Client Error"
    assert phrase(599) == "Server Error"


def test_every_kind_is_answered_by_something() -> None:
    """A client is told of no problem that it can't meet."""
    inbound = ROOT / "src" / "mainstay" / "service" / "inbound"
    code = "".join(
        path.read_text("utf-8") for path in inbound.rglob("*.py") if path.stem != "problem_kinds"
    )
    assert [kind for kind in KINDS if f'"{kind}"' not in code] == []


def test_the_reference_page_is_made_from_the_table() -> None:
    hint = "write it anew: the command is in the module that makes it"
    assert (ROOT / "docs" / "reference" / "problems.md").read_text("utf-8") == problems_page(), hint


def test_every_kind_has_an_anchor_on_the_page() -> None:
    headings = {line[3:] for line in problems_page().splitlines() if line.startswith("## ")}
    assert set(KINDS) <= headings
