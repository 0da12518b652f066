"""Both shells, driven by hand: one suite for what they share."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.inbound.shells import TRACEPARENT, Asgi, Kind, Wsgi

from mainstay.service.service import Service
from mainstay.spec.health import Health
from mainstay.spec.inbound import Inbound

if TYPE_CHECKING:
    from tests.service.conftest import Lines

MakeService = Callable[..., Service]


@pytest.fixture(params=[Asgi, Wsgi], ids=["asgi", "wsgi"])
def kind(request: pytest.FixtureRequest, make_service: MakeService) -> Kind:
    made = request.param(make_service())
    assert isinstance(made, Kind)
    return made


def test_an_answer_passes_and_its_line_is_written(kind: Kind, lines: "Lines") -> None:
    answer = kind.ask("/orders", method="POST")
    assert (answer.status, answer.body) == (201, b"abcde")
    (line,) = lines.parsed
    said = {key: line[key] for key in ("method", "path", "status", "bytes", "client", "replica")}
    assert said == {
        "method": "POST",
        "path": "/orders",
        "status": 201,
        "bytes": 5,
        "client": "192.0.2.7",
        "replica": "shop-1",
    }
    assert "error" not in line


def test_a_trace_is_taken_over_and_seen_by_the_handler(kind: Kind, lines: "Lines") -> None:
    kind.ask("/orders", traceparent=TRACEPARENT)
    trace = kind.seen.trace
    assert f"{trace.trace_id}-{trace.parent_id}" == TRACEPARENT[3:-3]
    assert (lines.parsed[0]["trace_id"], lines.parsed[0]["span_id"]) == trace[:2]


def test_a_broken_trace_is_begun_anew(kind: Kind) -> None:
    kind.ask("/orders", traceparent=TRACEPARENT.replace("00-4", "ff-4"))
    assert kind.seen.trace.trace_id != TRACEPARENT[3:35]
    assert kind.seen.trace.parent_id is None


def test_an_app_that_raises_is_answered_with_a_problem(
    kind: Kind, lines: "Lines", capsys: pytest.CaptureFixture[str]
) -> None:
    """The client learns the trace id and nothing else; the traceback is told once, with it."""
    answer = kind.ask("/raises")
    problem = json.loads(answer.body)
    assert answer.status == problem["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert b"secret" not in answer.body
    assert b"Lookup" not in answer.body
    (line,) = lines.parsed
    assert (line["status"], line["error"], line["level"]) == (500, "LookupError", "error")
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1
    assert said.count("LookupError: secret detail") == 1
    assert line["trace_id"] == problem["trace_id"]
    assert line["trace_id"] in said


def test_an_answer_that_breaks_off_is_the_servers_to_tear(
    kind: Kind, lines: "Lines", capsys: pytest.CaptureFixture[str]
) -> None:
    """The error goes on, so that the client sees a broken answer; it is told with its trace id."""
    with pytest.raises(LookupError):
        kind.ask("/breaks")
    (line,) = lines.parsed
    assert (line["status"], line["bytes"], line["error"]) == (201, 3, "LookupError")
    assert line["trace_id"] in capsys.readouterr().err
    assert not kind.service._inbound.drain.flights


def test_a_request_is_in_flight_until_its_body_ends(kind: Kind) -> None:
    kind.ask("/orders")
    assert kind.seen.in_flight == 1
    assert not kind.service._inbound.drain.flights


def test_a_drain_closes_connections_and_turns_unready(kind: Kind) -> None:
    kind.peer = "127.0.0.1"
    kind.service._inbound.drain.started = True
    assert kind.ask("/health/ready").status == 200
    assert "connection" not in kind.ask("/orders").headers
    kind.service.drain()
    kind.service.drain()
    ready = kind.ask("/health/ready")
    assert (ready.status, json.loads(ready.body)["output"]) == (503, "draining")
    assert kind.ask("/orders").headers["connection"] == "close"
    assert [kind.ask(f"/health/{probe}").status for probe in ("live", "startup")] == [200, 200]
    assert kind.ask("/health").status == 503


def test_probes_are_neither_logged_nor_counted(kind: Kind, lines: "Lines") -> None:
    for path in ("/health", "/health/live", "/health/ready", "/health/startup"):
        answer = kind.ask(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.headers["cache-control"] == "no-store"
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert lines.raw == []
    assert kind.seen.in_flight == -1


def test_probes_by_other_methods(kind: Kind, lines: "Lines") -> None:
    head = kind.ask("/health/live", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    post = kind.ask("/health/live", method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD")
    document = json.loads(post.body)
    assert post.headers["content-type"] == "application/problem+json"
    assert document["type"].endswith("#method-not-allowed")
    assert document["request_id"] == post.headers["x-request-id"]
    # It asks for no health, so it is told like any other that was refused.
    (line,) = lines.parsed
    assert (line["status"], line["trace_id"]) == (405, document["trace_id"])


def test_a_critical_check_takes_the_service_out_and_another_does_not(kind: Kind) -> None:
    kind.peer = "127.0.0.1"

    @kind.service.check("queue", critical=False)
    def queue() -> bool:
        return False

    ready = kind.ask("/health/ready")
    whole = json.loads(kind.ask("/health").body)
    assert (ready.status, whole["status"]) == (200, "warn")
    assert list(whole["checks"]) == ["disk", "memory", "queue"]

    @kind.service.check("ledger")
    async def ledger() -> None:
        raise ConnectionError("postgresql://u:p@h")

    ready = kind.ask("/health/ready")
    assert ready.status == 503
    assert json.loads(ready.body)["checks"]["ledger"][0]["output"] == "ConnectionError"
    assert kind.ask("/health/live").status == 200


def test_who_asks_from_outside_learns_the_status_alone(kind: Kind) -> None:
    """Also through a proxy that is trusted: it is not who asks."""

    @kind.service.check("ledger")
    def ledger() -> None:
        raise ConnectionError("postgresql://u:p@h")

    for path in ("/health", "/health/ready"):
        assert (kind.ask(path).status, kind.ask(path).body) == (503, b'{"status": "fail"}')
    kind.peer = "127.0.0.1"
    through: Any = {"x-forwarded-for": "192.0.2.7"}
    assert kind.ask("/health/ready", **through).body == b'{"status": "fail"}'
    inside: Any = {"x-forwarded-for": "127.0.0.2"}
    for answer in (kind.ask("/health/ready"), kind.ask("/health/ready", **inside)):
        assert list(json.loads(answer.body)["checks"]) == ["ledger"]


def test_health_can_live_elsewhere_and_the_line_can_be_off(
    make_service: MakeService, lines: "Lines"
) -> None:
    for made in (Asgi, Wsgi):
        service = make_service(inbound=Inbound(health=Health(path="/ops/h/"), access_log=False))
        kind = made(service)
        assert kind.ask("/ops/h/live").status == 200
        assert kind.ask("/health/live").status == 201
    assert lines.raw == []


def test_what_the_shell_lacks_is_the_apps(kind: Kind) -> None:
    class App:
        title = "shop"

        def __call__(self) -> None:
            """Never called here."""

    shell: Any = getattr(kind.service, kind.name)(App())
    assert shell.title == "shop"
    with pytest.raises(AttributeError, match="titel"):
        _ = shell.titel
