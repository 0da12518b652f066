from random import Random

import pytest
from tests.telemetry.metrics.exchanges import exchange

from mainstay.core.trace import SAMPLED, arrive
from mainstay.service.inbound.exchange import TRACE_KEY
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.telemetry.metrics.counting.requests import RequestMetrics, active_requests
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.snapshot import Labels, Values
from mainstay.telemetry.route import ROUTE_KEY

REFUSED = Refusal.of("overloaded", "Too much at once.")


def told(registry: Registry, name: str) -> dict[Labels, Values]:
    found = {one.name: series for one, series in registry.snapshot().items()}
    return dict(found[name])


def counts(registry: Registry) -> dict[Labels, float]:
    series = told(registry, "http_server_request_duration_seconds")
    return {labels: sum(values[:-1]) for labels, values in series.items()}


def test_requests_are_told_apart_by_method_scheme_route_and_status() -> None:
    registry = Registry()
    requests = RequestMetrics(registry)
    scope = {"scheme": "https", ROUTE_KEY: "/items/{id}"}
    for _ in range(3):
        requests.ended(exchange(dict(scope)), 0.03)
    requests.ended(exchange(dict(scope), method="POST", status=201), 0.03)
    requests.ended(exchange({"wsgi.url_scheme": "http"}, status=404), 0.03)
    assert counts(registry) == {
        ("GET", "https", "/items/{id}", "200", ""): 3,
        ("POST", "https", "/items/{id}", "201", ""): 1,
        ("GET", "http", "(unmatched)", "404", ""): 1,
    }
    series = told(registry, "http_server_request_duration_seconds")
    assert series["GET", "https", "/items/{id}", "200", ""][-1] == pytest.approx(0.09)


@pytest.mark.parametrize(
    ("status", "error", "refusal", "label"),
    [
        (200, None, None, ""),
        (404, None, None, ""),
        (429, None, Refusal.of("rate-limited", "x"), ""),
        (500, "KeyError", None, "KeyError"),
        (500, None, None, "500"),
        (503, None, REFUSED, "overloaded"),
        (0, "CancelledError", None, "CancelledError"),
        (0, None, None, "client_left"),
    ],
)
def test_what_failed_says_why(
    status: int, error: str | None, refusal: Refusal | None, label: str
) -> None:
    """As OpenTelemetry has it: what the client did wrong is no error of the server."""
    registry = Registry()
    RequestMetrics(registry).ended(exchange(status=status, error=error, refusal=refusal), 0.1)
    ((_, _, _, told_status, error_type),) = counts(registry)
    assert (told_status, error_type) == (str(status or ""), label)


def test_strange_methods_and_paths_make_no_series() -> None:
    registry = Registry(series_max=50)
    requests = RequestMetrics(registry)
    for number in range(500):
        requests.ended(
            exchange({"scheme": f"s{number}"}, method=f"M{number}", path=f"/{number}"), 0.1
        )
    assert counts(registry) == {("_OTHER", "", "(unmatched)", "200", ""): 500}
    assert len(requests._cells) == 0


def test_series_beyond_the_bound_are_folded_and_not_lost() -> None:
    registry = Registry(series_max=10)
    requests = RequestMetrics(registry)
    for number in range(30):
        for _ in range(2):
            requests.ended(exchange({"scheme": "http", ROUTE_KEY: f"/r{number}"}), 0.1)
    found = counts(registry)
    assert len(found) == 11
    assert found[("(other)",) * 5] == 40
    name = "http_server_request_duration_seconds"
    assert told(registry, "mainstay_telemetry_folded") == {(name,): (40,)}


def test_a_websocket_is_no_request() -> None:
    """Its hours would spoil every percentile."""
    registry = Registry()
    requests = RequestMetrics(registry)
    scope = {"scheme": "ws", ROUTE_KEY: "/feed"}
    requests.ended(exchange(scope, method="WEBSOCKET", kind="websocket", status=0), 900.0)
    assert counts(registry) == {}
    (labels,) = told(registry, "mainstay_websocket_duration_seconds")
    assert labels == ("/feed", "")


def test_the_trace_of_a_sampled_request_is_its_exemplar() -> None:
    registry = Registry()
    requests = RequestMetrics(registry)
    asked = exchange()
    requests.ended(asked, 0.1)
    assert registry.exemplars() == {}, "nobody has made its trace"
    trace = arrive(Random(7))._replace(flags=SAMPLED)
    asked.scope[TRACE_KEY] = trace._replace(flags=0)
    requests.ended(asked, 0.1)
    assert registry.exemplars() == {}, "it is not kept"
    asked.scope[TRACE_KEY] = trace
    requests.ended(asked, 0.2)
    (buckets,) = registry.exemplars()["http_server_request_duration_seconds"].values()
    assert [one.trace_id for one in buckets if one is not None] == [trace.trace_id]


def test_requests_in_flight_are_counted_when_somebody_asks() -> None:
    flights = {exchange(), exchange(), exchange(method="BREW"), exchange(kind="websocket")}
    assert sorted(
        (labels, values) for _, labels, values in active_requests(lambda: list(flights))()
    ) == [(("GET", "http"), (2,)), (("_OTHER", "http"), (1,))]


def test_counting_works_while_a_forked_child_begins_anew() -> None:
    registry = Registry()
    requests = RequestMetrics(registry)
    requests.ended(exchange(), 0.1)
    registry.forget()
    requests.ended(exchange(), 0.1)
    assert list(counts(registry).values()) == [1]
