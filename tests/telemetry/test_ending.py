"""One pass at the end of a request says what each part says by itself."""

import gc
import json
import weakref
from random import Random
from typing import Any

import pytest
from opentelemetry import trace as trace_api
from tests.telemetry.joined import joined
from tests.telemetry.logs.sinks import Kept, logs_into
from tests.telemetry.traces.kit import MASKER, MASKS

from mainstay.core.trace import SAMPLE_ALL, SAMPLED, Trace, enter_trace, leave_trace
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.telemetry.ending import Ending
from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.metrics.counting.requests import RequestMetrics
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.route import ROUTE_KEY, matched_route, route_of
from mainstay.telemetry.traces.notes import NOTES_KEY, Notes
from mainstay.telemetry.traces.otlp import Masks, encoded
from mainstay.telemetry.traces.span import Span
from mainstay.telemetry.traces.traces import Traces
from mainstay.testing.clock import VirtualClock

NAME = "http_server_request_duration_seconds"
CALLER = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-%02d"
SLOW_S = 1.0

CASES: dict[str, dict[str, Any]] = {
    "unsampled": {},
    "sampled": {"header": CALLER % 1},
    "begins here": {"header": None},
    "no header of this form": {"header": b"00-" + b"0" * 32},
    "not found": {"status": 404, "route": None},
    "slow": {"took_s": 2 * SLOW_S},
    "slow to end, not to begin": {"took_s": 2 * SLOW_S, "begun_s": 5.1},
    "failed": {"status": 500, "error": "KeyError"},
    "refused": {"status": 429, "refusal": Refusal.of("rate-limited", "Too many requests.")},
    "left": {"status": 0},
    "a stranger's method": {"method": "PURGE"},
    "a websocket": {"kind": "websocket", "method": "WEBSOCKET", "status": 101},
}


def arrived(
    *,
    header: bytes | None = CALLER % 0,
    route: str | None = "/items/{id}",
    took_s: float = 0.0125,
    begun_s: float | None = None,
    headers: dict[bytes, bytes] | None = None,
    **changed: Any,
) -> tuple[Exchange, float]:
    """Return a request of which nobody has asked for the trace, and its end."""
    made = Exchange()
    given: dict[str, Any] = {
        "scope": {"http_version": "1.1", "scheme": "https"},
        "kind": "http", "method": "GET", "path": "/items/7", "status": 200,
        "get": {**({} if header is None else {b"traceparent": header}), **(headers or {})}.get,
        "client": "192.0.2.7", "request_id": "r-1", "span_id": None,
        "rng": Random(7), "below": SAMPLE_ALL, "size": 3, "error": None, "refusal": None,
        "started_s": 5.0, "begun_s": 5.0 + took_s if begun_s is None else begun_s,
    }  # fmt: skip
    for name, value in {**given, **changed}.items():
        setattr(made, name, value)
    if route is not None:
        made.scope[ROUTE_KEY] = route
    return made, 5.0 + took_s


class World:
    """All that is told, and the parts that tell it."""

    def __init__(self, masks: Masks = MASKS) -> None:
        self.kept, self.masks = Kept(), masks
        self.spans: list[Span | bytes] = []
        self.registry = Registry()
        clock = VirtualClock()
        self.line = AccessLine(logs_into(self.kept, clock=clock), route_of)
        self.requests = RequestMetrics(self.registry)
        self.traces = Traces(
            put=self.spans.append, masks=masks, clock=clock, slow_s=SLOW_S, route=matched_route,
            beginning=MASKER.beginning,
        )  # fmt: skip
        self.ending = Ending(traces=self.traces, requests=self.requests, line=self.line)

    def written(self) -> list[bytes]:
        """Return the spans as they are sent."""
        return [one if isinstance(one, bytes) else encoded(one, self.masks) for one in self.spans]

    def told(self) -> tuple[object, ...]:
        """Return everything that left, as values."""
        return (
            self.kept.lines(),
            self.written(),
            {one.name: dict(series) for one, series in self.registry.snapshot().items()},
            self.registry.exemplars(),
        )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_one_pass_says_what_the_parts_say(case: dict[str, Any]) -> None:
    """The second request is of a sort that was seen, and the first and third need not be."""
    one, each = World(), World()
    for changed in ({}, case, case, {}):
        one.ending.ended(*arrived(**changed))
        exchange, ended_s = arrived(**changed)
        for part in (each.traces, each.requests, each.line):
            part.ended(exchange, ended_s)
    assert one.told() == each.told()
    assert len(one.kept.lines()) == 4


SAMPLED_CASES: dict[str, tuple[bool, dict[str, Any]]] = {
    "as most": (True, {}),
    "no route": (True, {"status": 404, "route": None}),
    "no client": (True, {"client": None}),
    "over IPv6": (True, {"client": "2001:db8::7"}),
    "called by its span": (True, {"request_id": "1" * 16, "span_id": "1" * 16}),
    "a UUID": (True, {"request_id": "5f3f6f3e-0d8c-4c1e-8a34-1f1c1b1a1918"}),
    "a secret": (True, {"path": "/reset/sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"}),
    "no path of UTF-8": (True, {"path": "/caf\udce9"}),
    "a path as long as is kept": (True, {"path": "/" + "a " * 500}),
    "WSGI": (True, {"scope": {"SERVER_PROTOCOL": "HTTP/1.0", "wsgi.url_scheme": "http"}}),
    "a version that a client made up": (
        False,
        {"scope": {"http_version": "1" * 17, "scheme": "http"}},
    ),
    "an agent": (True, {"headers": {b"user-agent": b"curl/8 (me@example.com)"}}),
    "a longer path": (False, {"path": "/" + "a " * 513}),
    "a long agent": (False, {"headers": {b"user-agent": b"a " * 513}}),
    "vendors": (False, {"headers": {b"tracestate": b"a=1"}}),
}


@pytest.mark.parametrize("case", SAMPLED_CASES.values(), ids=SAMPLED_CASES.keys())
@pytest.mark.parametrize("asked", [False, True])
def test_a_span_is_written_as_it_would_be_encoded(
    case: tuple[bool, dict[str, Any]],
    asked: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    is_plain, changed = case
    one, each = World(), World()
    for _ in range(3):
        exchange, ended_s = arrived(header=CALLER % 1, **changed)
        if asked:
            assert exchange.trace.flags & SAMPLED
        one.ending.ended(exchange, ended_s)
        each.traces.ended(*arrived(header=CALLER % 1, **changed))
    assert [isinstance(span, bytes) for span in one.spans] == [False, is_plain, is_plain]
    assert one.written() == each.written()


def test_two_who_ask_for_the_ids_at_once_get_the_same() -> None:
    """A thread of the app asks for its trace in the midst of the end."""
    world = World()
    world.ending.ended(*arrived())
    exchange, ended_s = arrived()

    class Asks(Random):
        asked = False

        def getrandbits(self, k: int, /) -> int:
            if not self.asked:
                self.asked = True
                assert len(exchange.trace.span_id) == 16
            return super().getrandbits(k)

    exchange.rng = Asks(3)
    world.ending.ended(exchange, ended_s)
    assert world.kept.last()["span_id"] == exchange.trace.span_id == exchange.own_span_id()


def test_a_span_that_cannot_be_written_loses_no_line() -> None:
    """A clock that begins near 1970, as on a machine without one of its own."""
    world = World()
    world.traces._wall_s = lambda: 0.001
    for _ in range(3):
        world.ending.ended(*arrived(header=CALLER % 1))
    assert len(world.kept.lines()) == len(world.spans) == 3
    assert all(isinstance(span, Span) for span in world.spans)


def test_what_was_noted_is_in_the_span() -> None:
    world = World()
    for _ in range(2):
        exchange, ended_s = arrived(header=CALLER % 1)
        exchange.scope[NOTES_KEY] = Notes()
        exchange.scope[NOTES_KEY].attribute("order", "o-1")
        world.ending.ended(exchange, ended_s)
        span = world.spans[-1]
        assert isinstance(span, Span)
        assert span.attributes["order"] == "o-1"


@pytest.mark.parametrize("key", ["path", "address", "request_id", "method", "route"])
def test_who_hides_an_attribute_by_its_name_has_it_hidden(key: str) -> None:
    masker = Masker((key,))
    world = World(Masks(masker.mapping, masker.text))
    for _ in range(2):
        world.ending.ended(*arrived(header=CALLER % 1))
    first, second = world.written()
    assert first == second
    assert b"***" in second


def test_who_asks_for_the_trace_after_the_end_gets_the_ids_of_the_line() -> None:
    """Work in the background goes on with the request's ids."""
    world = World()
    for _ in range(2):
        exchange, ended_s = arrived()
        world.ending.ended(exchange, ended_s)
        line, trace = world.kept.last(), exchange.trace
        assert (line["trace_id"], line["span_id"]) == (trace.trace_id, trace.span_id)
        assert not trace.flags & SAMPLED
    assert isinstance(trace, Trace)


def test_the_level_holds_whenever_it_is_changed() -> None:
    world = World()
    for _ in range(2):
        world.ending.ended(*arrived())
    world.line.logs.level = 30
    world.ending.ended(*arrived())
    assert len(world.kept.lines()) == 2


@pytest.mark.parametrize("header", [CALLER % 0, CALLER % 1, None])
@pytest.mark.parametrize("asked", [False, True])
def test_where_nobody_traces_no_exemplar_leads_to_a_trace(
    header: bytes | None,
    asked: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    world = World()
    ending = Ending(traces=None, requests=world.requests, line=world.line)
    for _ in range(2):
        exchange, ended_s = arrived(header=header)
        if asked:
            assert len(exchange.trace.trace_id) == 32
        ending.ended(exchange, ended_s)
    assert world.registry.exemplars() == {}
    assert len(world.kept.lines()) == 2


def test_where_only_figures_are_wanted_no_trace_is_made() -> None:
    world = World()
    ending = Ending(traces=None, requests=world.requests, line=None)
    for _ in range(2):
        exchange, ended_s = arrived()
        ending.ended(exchange, ended_s)
    assert exchange.scope.keys() == {"http_version", "scheme", ROUTE_KEY}
    [series] = [one for family, one in world.registry.snapshot().items() if family.name == NAME]
    assert [sum(values[:-1]) for values in series.values()] == [2]


def test_methods_and_paths_of_strangers_fill_no_memory() -> None:
    world = World()
    for number in range(50):
        world.ending.ended(*arrived(method=f"X{number}"))
        world.ending.ended(*arrived(path=f"/{number}", route=None, status=404))
    assert len(world.ending._sorts) == 1


def test_what_looked_for_a_span_leaves_no_circle() -> None:
    """The scope leads to OpenTelemetry's context, that to the request, and that to the scope."""

    class Watched(dict[str, Any]):
        """A scope that can be watched."""

    with joined(endpoint="http://127.0.0.1:9") as world:
        assert world.tracing is not None
        exchange, ended_s = arrived(scope=Watched(scheme="http"))
        watched = weakref.ref(exchange.scope)
        token = enter_trace(exchange)
        seen = trace_api.get_current_span().get_span_context()
        leave_trace(token)
        assert f"{seen.trace_id:032x}" == exchange.trace.trace_id
        gc.disable()
        try:
            world.tracing.traces.ended(exchange, ended_s)
            del exchange
            assert watched() is None
        finally:
            gc.enable()


def test_a_line_is_json_whatever_the_sort() -> None:
    world = World()
    for _ in range(3):
        world.ending.ended(*arrived(path='/a"\n', client='"'))
    assert [json.loads(line)["path"] for line in world.kept.written.splitlines()] == ['/a"\n'] * 3
