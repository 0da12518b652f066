"""Error reports against a real receiver of Sentry's protocol on loopback."""

import os
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tests.forking import fork
from tests.telemetry.masking import corpus
from tests.telemetry.reports.receiver import Receiver, receiving
from tests.telemetry.traces.kit import Heard, exchange, within

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import ConfigInvalid, PartMissing
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.events import Attempted, CircuitChanged, Retried
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import ErrorReports, Telemetry
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.reports import reports_of
from mainstay.telemetry.reports.reports import BURST, Reports, ReportsDropped
from mainstay.testing.clock import VirtualClock

LONG_S = 60.0
MAIL = "jane" + "@" + "example.com"
SECRET = "hunter" + "2" * 9
"""Not as it is in the source, whose lines around an error are told."""


def make(
    dsn: str, heard: Heard | None = None, clock: VirtualClock | None = None, **changed: Any
) -> Reports:
    errors = ErrorReports(dsn=dsn, sample=changed.pop("sample", 1.0))
    declaration = Declaration(
        service="shop",
        app="shop:app",
        version="v7",
        telemetry=Telemetry(errors=errors, environment="prod"),
    )
    given: dict[str, Any] = {
        "environ": {"MAINSTAY_REPLICA": "shop-1"},
        "clock": clock or VirtualClock(),
        "events": (heard or Heard()).listeners,
        "masker": Masker(),
        "route": lambda _exchange: "/items/{id}",
    }
    made = reports_of(declaration, **{**given, **changed})
    assert made is not None
    return made


def raised(message: str = "no such item") -> LookupError:
    """Return an error that was raised, with a traceback."""
    with pytest.raises(LookupError) as caught:
        fail(message)
    return caught.value


def fail(message: str) -> None:
    raise LookupError(message)


def sent(receiver: Receiver, reports: Reports, count: int = 1) -> list[dict[str, Any]]:
    reports.close(LONG_S)
    assert len(receiver.events) == count
    return receiver.events


def test_a_report_says_what_is_known_of_the_request() -> None:
    one = exchange(
        scope={
            "asgi": {},
            "scheme": "https",
            "headers": [(b"host", b"shop.example"), (b"accept", b"*/*"), (b"cookie", b"sid=x")],
            "mainstay.trace": exchange().trace,
        },
        path="/items/7",
    )
    with receiving() as receiver:
        reports = make(receiver.dsn, user=lambda _exchange: "user-7")
        with within(one):
            reports.failed(one, raised())
        [event] = sent(receiver, reports)
        assert receiver.asked[0]["path"] == "/api/42/envelope/"
    assert (event["release"], event["environment"]) == ("shop@v7", "prod")
    assert event["server_name"] == f"shop-1.{os.getpid()}"
    assert event["transaction"] == "GET /items/{id}"
    assert event["contexts"]["trace"]["trace_id"] == one.trace.trace_id
    assert event["contexts"]["trace"]["span_id"] == one.trace.span_id
    assert event["tags"]["request_id"] == one.request_id
    assert event["user"] == {"id": "user-7"}
    assert event["request"]["url"] == "https://shop.example/items/7"
    assert event["request"]["method"] == "GET"
    assert event["request"]["headers"] == {
        "host": "shop.example",
        "accept": "*/*",
        "cookie": "***",
    }
    [value] = event["exception"]["values"]
    assert (value["type"], value["value"]) == ("LookupError", "no such item")
    assert value["mechanism"] == {"type": "mainstay", "handled": False}
    assert value["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "vars" not in value["stacktrace"]["frames"][-1]


def test_a_request_over_wsgi_is_told_alike() -> None:
    one = exchange(
        scope={
            "wsgi.url_scheme": "http",
            "HTTP_HOST": "shop.example",
            "HTTP_X_API_KEY": "hunter2",
            "HTTP_X_SEEN": "yes",
            "mainstay.trace": exchange().trace,
        }
    )
    with receiving() as receiver:
        reports = make(receiver.dsn)
        reports.failed(one, raised())
        [event] = sent(receiver, reports)
    assert event["request"]["url"] == "http://shop.example/items/7"
    assert event["request"]["headers"] == {
        "host": "shop.example",
        "x-api-key": "***",
        "x-seen": "yes",
    }
    assert event["contexts"]["trace"]["trace_id"] == one.trace.trace_id


def test_secrets_stay_in_the_process() -> None:
    heard = Heard()
    one = exchange(path=f"/users/{MAIL}", headers={})
    one.scope["headers"] = [
        (b"authorization", f"Bearer {SECRET}".encode()),
        (b"x-forwarded-user", MAIL.encode()),
    ]
    with receiving() as receiver:
        reports = make(receiver.dsn, heard, user=lambda _exchange: MAIL)
        with within(one):
            heard.listeners.emit(
                Retried(at_s=1.0, dependency="crm", attempt=1, pause_s=0.1, reason=f"no {MAIL}")
            )
            error = raised(f"password={SECRET} of {MAIL}")
            error.__cause__ = raised(MAIL)
            reports.failed(one, error)
        sent(receiver, reports)
        [told] = receiver.raw
    assert SECRET not in told
    assert MAIL not in told
    assert "/users/" in told


def test_of_a_secret_at_the_bound_no_half_is_told() -> None:
    secret = corpus.TOKENS["github"](Random(3))
    path, header = (f"{'/a' * pairs}/{secret}{'/b' * 9}" for pairs in (1021, 509))
    assert path[:2048].endswith(secret[:5])
    assert header[:1024].endswith(secret[:5])
    one = exchange(path=path)
    one.scope["headers"] = [(b"host", b"shop.example"), (b"referer", header.encode())]
    with receiving() as receiver:
        reports = make(receiver.dsn)
        reports.failed(one, raised())
        [event] = sent(receiver, reports)
    assert event["request"]["url"] == f"https://shop.example{'/a' * 1021}/***/b..."
    assert event["request"]["headers"]["referer"] == f"{'/a' * 509}/***/b..."


def test_an_error_is_reported_once() -> None:
    """Whoever comes first: the user, or who saw that nobody handled it."""
    error = raised()
    with receiving() as receiver:
        reports = make(receiver.dsn)
        with within(exchange()) as one:
            assert reports.capture(error) is not None
            reports.failed(one, error)
            assert reports.capture(error) is None
        [event] = sent(receiver, reports)
    assert event["exception"]["values"][0]["mechanism"]["handled"] is True


def test_what_the_policies_did_is_told() -> None:
    """Of this request, and what changed for all; nothing of another request."""
    heard = Heard()
    mine, other = exchange(), exchange()
    with receiving() as receiver:
        reports = make(receiver.dsn, heard)
        emit = heard.listeners.emit
        with within(other):
            emit(Retried(at_s=1.0, dependency="other", attempt=1, pause_s=0.1, reason="x"))
        with within(mine):
            emit(Attempted(at_s=2.0, dependency="fine", attempt=1, outcome="success", took_s=1.0))
            emit(Attempted(at_s=3.0, dependency="crm", attempt=1, outcome="failure", took_s=1.0))
            emit(Retried(at_s=4.0, dependency="crm", attempt=1, pause_s=0.1, reason="x"))
        emit(CircuitChanged(at_s=5.0, dependency="db", was=State.CLOSED, state=State.OPEN))
        with within(mine):
            reports.failed(mine, raised())
        [event] = sent(receiver, reports)
    crumbs = event["breadcrumbs"]["values"]
    assert [(one["category"], one["message"]) for one in crumbs] == [
        ("mainstay.attempted", "crm"),
        ("mainstay.retried", "crm"),
        ("mainstay.circuit_changed", "db"),
    ]
    assert crumbs[2]["data"]["state"] == "open"
    assert crumbs[1]["data"] == {"dependency": "crm", "attempt": 1, "pause_s": 0.1, "reason": "x"}


def test_breadcrumbs_are_bounded_and_the_last_ones_stay() -> None:
    heard = Heard()
    one = exchange()
    with receiving() as receiver:
        reports = make(receiver.dsn, heard)
        with within(one):
            for number in range(1000):
                heard.listeners.emit(
                    Retried(at_s=number, dependency="a", attempt=number, pause_s=0, reason="x")
                )
            reports.failed(one, raised())
        [event] = sent(receiver, reports)
    attempts = [one["data"]["attempt"] for one in event["breadcrumbs"]["values"]]
    assert attempts == list(range(970, 1000))


def test_errors_outside_of_requests_are_reported() -> None:
    with receiving() as receiver:
        reports = make(receiver.dsn)
        reports.failed(None, raised(), "send_receipt")
        assert reports.capture(KeyError("never raised")) is not None
        first, second = sent(receiver, reports, 2)
    assert first["transaction"] == "send_receipt"
    assert "request" not in first
    assert second["exception"]["values"][0]["type"] == "KeyError"


def test_a_storm_is_bounded_and_what_was_lost_is_told() -> None:
    heard, clock = Heard(), VirtualClock()
    with receiving() as receiver:
        reports = make(receiver.dsn, heard, clock)
        for _ in range(BURST + 50):
            reports.capture(raised())
        clock.advance(1.0)
        assert reports.capture(raised()) is not None
        sent(receiver, reports, BURST + 1)
    assert sum(_dropped(heard).values()) == 50
    assert set(_dropped(heard)) == {"rate"}
    assert len([e for e in heard.events if isinstance(e, ReportsDropped)]) <= 3


def test_only_a_share_is_sent_where_that_is_declared() -> None:
    with receiving() as receiver:
        reports = make(receiver.dsn, sample=0.0)
        reports.capture(raised())
        sent(receiver, reports, 0)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_receiver_that_refuses_costs_the_report_and_is_told(status: int) -> None:
    heard = Heard()
    with receiving(status=status) as receiver:
        reports = make(receiver.dsn, heard)
        reports.capture(raised())
        sent(receiver, reports, 1)
        _until(lambda: bool(_dropped(heard)))
    assert sum(_dropped(heard).values()) == 1


def test_a_receiver_that_hangs_holds_up_nobody() -> None:
    """The queue of sentry-sdk is bounded, and reporting never waits for the receiver."""
    heard, clock = Heard(), VirtualClock()
    with receiving(gate=Receiver().gate) as receiver:
        reports = make(receiver.dsn, heard, clock)
        for _ in range(200):
            clock.advance(1.0)
            reports.capture(raised())
        receiver.gate.set()
        reports.close(LONG_S)
        lost = _dropped(heard).get("full_queue", 0)
        assert 0 < lost < 200
        assert len(receiver.events) == 200 - lost


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_process_that_forks_off_sends_its_own_reports_and_no_others() -> None:
    with receiving(gate=Receiver().gate) as receiver:
        reports = make(receiver.dsn)
        for _ in range(3):
            reports.capture(raised("of the parent"))
        child = fork()
        if child == 0:
            reports.capture(raised("of the child"))
            reports.close(LONG_S)
            os._exit(0)
        receiver.gate.set()
        assert os.waitpid(child, 0)[1] == 0
        events = sent(receiver, reports, 4)
    told = sorted((one["exception"]["values"][0]["value"], one["server_name"]) for one in events)
    mine = ("of the parent", f"shop-1.{os.getpid()}")
    assert told == [("of the child", f"shop-1.{child}"), mine, mine, mine]


def test_no_declaration_no_reports() -> None:
    declaration = Declaration(service="shop", app="shop:app")
    made = reports_of(
        declaration,
        environ={},
        clock=VirtualClock(),
        events=Heard().listeners,
        masker=Masker(),
        route=lambda _exchange: None,
    )
    assert made is None


@pytest.mark.parametrize(
    "dsn",
    [
        "http://hunter2", "http://hunter2@h:hunter2/1", "http://hunter2@h:99999/1",
        "http://hunter2@[::1/1", "hunter2",
    ],
)  # fmt: skip
def test_a_dsn_that_is_none_stops_the_start_and_is_not_shown(dsn: str) -> None:
    with pytest.raises(ConfigInvalid) as raised_error:
        make(dsn)
    assert "hunter2" not in str(raised_error.value)
    assert raised_error.value.__cause__ is None


def test_without_the_library_the_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sentry_sdk.utils", None)
    monkeypatch.delitem(sys.modules, "mainstay.telemetry.reports.reports", raising=False)
    with pytest.raises(PartMissing, match=r"mainstay\[telemetry\]"):
        make("http://k@127.0.0.1:1/42")


def _dropped(heard: Heard) -> dict[str, int]:
    found: dict[str, int] = {}
    for event in heard.events:
        if isinstance(event, ReportsDropped):
            found[event.reason] = found.get(event.reason, 0) + event.count
    return found


def _until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    last_s = SYSTEM_CLOCK.monotonic_s() + within_s
    while not condition():
        assert SYSTEM_CLOCK.monotonic_s() < last_s, "it never came to be"
        pause(0.002)
