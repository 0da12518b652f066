"""Every name and attribute of our spans: a change of them is a visible difference.

Run this file as a program to write the golden file anew, and read the difference.
"""

import re
from pathlib import Path
from random import Random
from typing import Any

from tests.telemetry.happened import kinds_of, one_of
from tests.telemetry.traces.kit import MASKER, exchange

from mainstay.core.trace import enter_trace, leave_trace
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.outbound.events import Attempted, CallEnded, PolicyEvent
from mainstay.telemetry.traces.bridge.spans import RequestSpan
from mainstay.telemetry.traces.calls import Calls
from mainstay.telemetry.traces.client import attempt_span, client_span, work_span
from mainstay.telemetry.traces.endpoint import resource_of
from mainstay.telemetry.traces.notes import Notes, notes_of
from mainstay.telemetry.traces.server import server_span
from mainstay.telemetry.traces.span import Moment, Span
from mainstay.testing.clock import VirtualClock

GOLDEN = Path(__file__).parents[1] / "golden" / "spans.txt"
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "traces.md"
KINDS = {1: "internal", 2: "server", 3: "client"}


def served(**changed: Any) -> Span:
    notes = Notes()
    notes.lost = 1
    given = {"status": 500, "refusal": FAILED, "error": "LookupError", "method": "PURGE"}
    one = exchange(headers={b"user-agent": b"curl/8"}, **{**given, **changed})
    return server_span(
        one, ended_s=6.0, wall_s=9.0, route="/items/{id}", notes=notes, kept="error",
        beginning=MASKER.beginning,
    )  # fmt: skip


def called(system: str, **changed: Any) -> Span:
    given: dict[str, Any] = {
        "at_s": 9.0,
        "dependency": "payments",
        "system": system,
        "operation": "GET",
        "target": "/shop.Cart/Get",
        "server": "pay.example",
        "port": 443,
        "status": 500,
        "error": "BadAnswer",
        "span_id": "d" * 16,
        "took_s": 0.5,
    }
    event = CallEnded(**{**given, **changed})
    return client_span(event, exchange().trace, "d" * 16)


def spans() -> dict[str, Span]:
    """Return one of each kind, with everything that it may have."""
    trace = exchange().trace
    attempt = Attempted(at_s=9.0, dependency="payments", attempt=1, outcome="failure", took_s=1.0)
    work = BackgroundEnded(at_s=9.0, work="send_receipt", error="LookupError", took_s=1.0)
    return {
        "a request": served(),
        "a websocket": served(kind="websocket", method="WEBSOCKET"),
        "a call over HTTP": called("http"),
        "a call over gRPC": called("grpc"),
        "a statement or a command": called("postgresql", operation="SELECT"),
        "a guarded function": attempt_span(attempt, trace, "d" * 16),
        "background work": work_span(work, trace, "d" * 16, kept=True),
    }


def moments() -> list[Moment]:
    """Return what may be noted on a span, one of each: what policies decide, and errors."""
    one = exchange()
    calls = Calls(put=lambda _: None, rng=Random(1), slow_s=1.0, spans=False)
    token = enter_trace(one)
    for kind in kinds_of(PolicyEvent):
        calls.heard(one_of(kind))
    # As the API notes it, and traces by themselves.
    RequestSpan(one.trace, notes_of(one.scope), VirtualClock()).record_exception(LookupError())
    leave_trace(token)
    return notes_of(one.scope).moments


def page() -> str:
    lines = []
    for what, span in spans().items():
        lines.append(f"{what}: {KINDS[span.kind]} {span.name!r}")
        lines += [f"  {name}" for name in sorted(span.attributes)]
    for moment in sorted(moments(), key=lambda one: one.name):
        lines.append(f"on a span, where it happened: event {moment.name!r}")
        lines += [f"  {name}" for name in sorted(moment.attributes)]
    resource = resource_of(
        service="a", version="b", environment="c", instance="d", environ={}, library_version="e"
    )
    return "\n".join([*lines, "the process", *(f"  {name}" for name in sorted(resource)), ""])


def test_the_names_are_those_that_are_written_down() -> None:
    assert GOLDEN.read_text("utf-8") == page()


def test_the_guide_has_every_attribute() -> None:
    guide = GUIDE.read_text("utf-8")
    names = {name for span in spans().values() for name in span.attributes}
    assert sorted(name for name in names if f"`{name}`" not in guide) == []


def test_the_guide_names_no_event_that_there_is_not() -> None:
    guide = GUIDE.read_text("utf-8")
    [said] = re.findall(r"^Events of a span: .*?$\n(?:.+\n)*", guide, re.MULTILINE)
    named = set(re.findall(r"`([a-z_.]+)`", said))
    assert named - {one.name for one in moments()} == set()
    assert "mainstay.retried" in named


if __name__ == "__main__":
    GOLDEN.write_text(page(), "utf-8")
