import json
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.logs.sinks import Kept, burst_of, logs_into

from mainstay.core.trace import arrive
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.service.inbound.problems.failure import OVERRAN
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.logs.levels import ERROR, WARNING
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.masking import Masker
from mainstay.testing.clock import VirtualClock

TRACE = arrive(Random(7))
PIPE_BUF = 4096


def exchange(**changed: Any) -> Exchange:
    made = Exchange()
    given: dict[str, Any] = {
        "method": "GET",
        "path": "/orders/17",
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


def write(logs: Logs, *, route: str = "/orders/{id}", **changed: Any) -> None:
    AccessLine(logs, lambda _exchange: route).ended(exchange(**changed), 5.0125)


def test_a_line_says_what_happened() -> None:
    kept = Kept()
    write(logs_into(kept))
    assert kept.last() == {
        "timestamp": "2026-01-01T00:00:00.000Z",
        "level": "info",
        "event": "request",
        "logger": "mainstay.access",
        "method": "GET",
        "path": "/orders/17",
        "route": "/orders/{id}",
        "status": 200,
        "duration_ms": 12.5,
        "bytes": 17,
        "client": "127.0.0.1",
        "service": "shop",
        "version": "v1",
        "replica": "shop-1",
        "environment": "test",
        "trace_id": TRACE.trace_id,
        "span_id": TRACE.span_id,
        "request_id": TRACE.span_id,
    }


@given(
    path=st.text(max_size=5000),
    method=st.text(max_size=60),
    route=st.text(max_size=300),
    client=st.none() | st.text(max_size=80),
    error=st.none() | st.text(max_size=300),
    status=st.integers(100, 599),
)
def test_whatever_a_client_sends_is_one_line_of_json(
    *, path: str, method: str, route: str, client: str | None, error: str | None, status: int
) -> None:
    """Hostile text can't break a line or forge another; and a pipe takes each line whole."""
    kept = Kept()
    logs = logs_into(kept)
    write(logs, path=path, method=method, route=route, client=client, error=error, status=status)
    assert kept.written.count(b"\n") == 1
    assert len(kept.written) <= PIPE_BUF + 2400  # The route is the program's own.
    line = kept.last()
    masked = logs.masker.text(path)
    assert line["path"] == masked or (line["path"].endswith("...") and len(masked) > 160)
    assert line["method"] == method[:32]
    assert line["route"] == route[:200]
    assert line.get("error") == (error if error is None else error[:200])


def test_levels_are_those_of_the_reference() -> None:
    kept = Kept()
    logs = logs_into(kept)
    limited = Refusal.of("rate-limited", "Too many requests.")
    for changed in (
        {"status": 404}, {"status": 429, "refusal": limited}, {"status": 504, "refusal": OVERRAN},
        {"status": 500, "error": "KeyError"}, {"status": 0},
    ):  # fmt: skip
        write(logs, **changed)
    lines = kept.lines()
    assert [line["level"] for line in lines] == ["info", "warning", "error", "error", "info"]
    assert [line["status"] for line in lines] == [404, 429, 504, 500, 499]
    assert [line.get("problem") for line in lines][1:3] == ["rate-limited", "deadline-exceeded"]
    assert lines[3]["error"] == "KeyError"


def test_an_answer_that_breaks_off_is_an_error_unless_the_client_left() -> None:
    """As its line with the traceback is."""
    kept = Kept()
    logs = logs_into(kept)
    write(logs, status=200, error="KeyError")
    write(logs, status=200, error="CancelledError")
    write(logs, status=413, error="TooLarge")
    assert [line["level"] for line in kept.lines()] == ["error", "info", "info"]


def test_the_declared_level_holds() -> None:
    kept = Kept()
    for level in (WARNING, ERROR):
        write(logs_into(kept, level=level))
        write(logs_into(kept, level=level), status=500)
    assert [line["status"] for line in kept.lines()] == [500, 500]


def test_the_path_is_masked() -> None:
    kept = Kept()
    write(logs_into(kept), path="/invite/alice@example.org/card/4111111111111111")
    assert kept.last()["path"] == "/invite/***/card/***"


def test_the_burst_limit_is_not_for_requests() -> None:
    kept = Kept()
    logs = logs_into(kept, burst=burst_of(2))
    for _ in range(20):
        write(logs)
    assert len(kept.lines()) == 20


def test_what_was_dropped_is_told_though_nothing_but_requests_follows() -> None:
    kept, clock = Kept(), VirtualClock()
    logs = logs_into(kept, clock=clock, burst=burst_of(5))
    for _ in range(100):
        logs.log(ERROR, "flood", "x", {})
    for _ in range(50):
        clock.advance(0.1)
        write(logs)
    told = [line for line in kept.lines() if line["logger"] == "mainstay.logs"]
    assert [line["lines"] for line in told] == [95]
    assert logs.missing == {"lost": 0, "burst": 95}
    logs.writer.lost += 3
    write(logs)
    assert kept.lines()[-2]["lines"] == 3


def test_names_of_the_service_are_escaped() -> None:
    kept = Kept()
    write(logs_into(kept, service='a"b\n', replica=None))
    assert (kept.last()["service"], kept.last()["replica"]) == ('a"b\n', None)
    assert json.loads(kept.written)["version"] == "v1"


def test_what_a_peer_calls_a_request_is_masked_as_any_text() -> None:
    kept = Kept()
    logs = logs_into(kept)
    ids = {
        "alice@example.org": "***",
        "4111111111111111": "***",
        "r-1": "r-1",
        "550e8400-e29b-41d4-a716-446655440000": "550e8400-e29b-41d4-a716-446655440000",
    }
    for said in ids:
        AccessLine(logs, lambda _: "/").ended(exchange(request_id=said), 5.1)
    assert [line["request_id"] for line in kept.lines()] == list(ids.values())


def test_of_a_long_path_only_what_is_shown_is_masked() -> None:
    """A stranger chooses it, up to what the server takes."""

    class Counting(Masker):
        __slots__ = ("chars",)

        def beginning(self, text: str, chars_max: int) -> str:
            self.chars = chars_max
            return super().beginning(text, chars_max)

        def text(self, text: str) -> str:
            assert len(text) <= 2048
            return super().text(text)

    kept, masker = Kept(), Counting()
    logs = logs_into(kept)
    logs.masker = masker
    AccessLine(logs, lambda _: "/").ended(exchange(path="/x/" + "sk-" * 20_000 + "A"), 5.1)
    assert kept.lines()[0]["path"].endswith("...")
    assert masker.chars <= 160
