from random import Random
from typing import Any

import pytest
from tests.telemetry.masking import corpus
from tests.telemetry.traces.kit import MASKER, MASKS, exchange, span

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.telemetry.traces.keeping import late_reason
from mainstay.telemetry.traces.notes import NOTES_KEY, Notes
from mainstay.telemetry.traces.span import ATTRIBUTES_MAX, ERROR, EVENTS_MAX, SERVER, UNSET, Span
from mainstay.telemetry.traces.traces import Traces
from mainstay.testing.clock import START_WALL_S, VirtualClock

SLOW_S = 1.0
TEMPLATE = "/items/{id}"


def spans_of(one: Exchange, *, route: str | None = TEMPLATE, ended_s: float = 5.02) -> list[Span]:
    spans: list[Span | bytes] = []
    traces = Traces(
        put=spans.append, masks=MASKS, clock=VirtualClock(), slow_s=SLOW_S,
        route=lambda _exchange: route, beginning=MASKER.beginning,
    )  # fmt: skip
    traces.ended(one, ended_s)
    return [made for made in spans if isinstance(made, Span)]


def test_a_sampled_request_has_a_span_by_the_conventions() -> None:
    one = exchange(headers={b"user-agent": b"curl/8"})
    [made] = spans_of(one)
    trace = one.trace
    assert (made.trace_id, made.span_id, made.parent_id) == (trace.trace_id, trace.span_id, None)
    assert (made.name, made.kind, made.status) == ("GET /items/{id}", SERVER, UNSET)
    assert made.end_s == START_WALL_S
    assert made.end_s - made.start_s == pytest.approx(0.02, abs=1e-6)
    assert made.attributes == {
        "http.request.method": "GET",
        "http.route": TEMPLATE,
        "http.response.status_code": 200,
        "url.path": "/items/7",
        "url.scheme": "https",
        "client.address": "192.0.2.7",
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8",
        "mainstay.request_id": one.request_id,
    }


def test_a_path_that_matched_nothing_is_in_no_name() -> None:
    [made] = spans_of(exchange(method="PURGE"), route=None)
    assert made.name == "HTTP"
    assert "http.route" not in made.attributes
    assert made.attributes["http.request.method"] == "_OTHER"
    assert made.attributes["http.request.method_original"] == "PURGE"


@pytest.mark.parametrize(
    ("changed", "status", "kind"),
    [
        ({"status": 503, "refusal": FAILED}, ERROR, "503"),
        ({"status": 500, "error": "LookupError"}, ERROR, "LookupError"),
        ({"status": 200, "error": "LookupError"}, ERROR, "LookupError"),
        ({"status": 404}, UNSET, None),
        ({"status": 0, "error": "CancelledError"}, UNSET, "CancelledError"),
    ],
)
def test_only_the_services_own_failures_are_errors(
    changed: dict[str, Any], status: int, kind: str | None
) -> None:
    [made] = spans_of(exchange(**changed))
    assert made.status == status
    assert made.attributes.get("error.type") == kind
    refused = "refusal" in changed
    assert made.attributes.get("mainstay.problem") == ("internal-error" if refused else None)


def test_an_unsampled_request_has_none() -> None:
    assert spans_of(exchange(sampled=False)) == []


@pytest.mark.parametrize(
    ("changed", "ended_s", "why"),
    [
        ({"status": 500}, 5.02, "error"),
        ({"error": "LookupError"}, 5.02, "error"),
        ({"begun_s": 6.5}, 7.0, "slow"),
        ({"begun_s": 0.0}, 6.5, "slow"),
        ({}, 3600.0, None),
        ({"status": 0, "error": "CancelledError"}, 5.02, None),
        ({"kind": "websocket", "begun_s": 0.0, "status": 101}, 99.0, None),
        ({"status": 429}, 5.02, None),
    ],
)
def test_errors_and_slow_requests_are_kept(
    changed: dict[str, Any], ended_s: float, why: str | None
) -> None:
    """A stream that goes on for an hour is not slow, and a client that leaves is no error."""
    one = exchange(sampled=False, **changed)
    assert late_reason(one, ended_s, SLOW_S) == why
    kept = spans_of(one, ended_s=ended_s)
    assert [span.attributes["mainstay.kept"] for span in kept] == ([] if why is None else [why])


def test_what_was_noted_is_in_the_span() -> None:
    one = exchange(sampled=False, status=500)
    notes = one.scope[NOTES_KEY] = Notes()
    notes.attribute("order.id", 7)
    notes.moment("mainstay.retried", 1.0, {"attempt": 1})
    notes.call(span(name="payments"))
    notes.name, notes.status, notes.message = "checkout", ERROR, "no stock"
    [made, call] = spans_of(one)
    assert (made.name, made.status, made.message) == ("checkout", ERROR, "no stock")
    assert made.attributes["order.id"] == 7
    assert [moment.name for moment in made.moments] == ["mainstay.retried"]
    assert call.name == "payments"


def test_notes_are_bounded_and_say_what_was_lost() -> None:
    one = exchange()
    notes = one.scope[NOTES_KEY] = Notes()
    for number in range(1000):
        notes.attribute(str(number), number)
        notes.attribute("0", number)
        notes.moment("x", 1.0, {})
        notes.call(span())
    assert len(notes.attributes) == ATTRIBUTES_MAX
    assert notes.attributes["0"] == 999
    assert (len(notes.moments), len(notes.calls)) == (EVENTS_MAX, 32)
    [made] = spans_of(one)
    assert made.attributes["mainstay.lost"] == 3000 - ATTRIBUTES_MAX - EVENTS_MAX - 32


def test_of_a_secret_at_the_bound_no_half_is_shown() -> None:
    secret = corpus.TOKENS["github"](Random(3))
    long = f"{'/a' * 509}/{secret}{'/b' * 9}"
    assert long[:1024].endswith(secret[:5])
    [made] = spans_of(exchange(path=long, method=long, headers={b"user-agent": long.encode()}))
    for name in ("url.path", "http.request.method_original", "user_agent.original"):
        assert made.attributes[name] == f"{'/a' * 509}/***/b..."
