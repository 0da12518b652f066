"""Exchanges, spans and clocks for the tests of this room."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from mainstay.core.events import Event, Listeners
from mainstay.core.trace import SAMPLE_ALL, arrive, enter_trace, leave_trace
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.traces.otlp import Masks
from mainstay.telemetry.traces.span import INTERNAL, UNSET, Scope, Span

MASKER = Masker()
MASKS = Masks(MASKER.mapping, MASKER.text)
RESOURCE = {"service.name": "shop"}


def exchange(
    *, sampled: bool = True, headers: dict[bytes, bytes] | None = None, **changed: Any
) -> Exchange:
    """Return the exchange of a request that took 20 ms and has ended at 5.02."""
    made = Exchange()
    trace = arrive(Random(7), below=SAMPLE_ALL if sampled else 0)
    given: dict[str, Any] = {
        "scope": {TRACE_KEY: trace, "http_version": "1.1", "scheme": "https"},
        "kind": "http",
        "method": "GET",
        "path": "/items/7",
        "get": (headers or {}).get,
        "client": "192.0.2.7",
        "request_id": trace.request_id,
        "started_s": 5.0,
        "begun_s": 5.01,
        "status": 200,
        "size": 3,
        "error": None,
        "refusal": None,
    }
    for name, value in {**given, **changed}.items():
        setattr(made, name, value)
    return made


@contextmanager
def within(one: Exchange) -> Iterator[Exchange]:
    """Answer a request, as the shells do."""
    token = enter_trace(one)
    try:
        yield one
    finally:
        leave_trace(token)


def span(**changed: Any) -> Span:
    """Return a span."""
    given: dict[str, Any] = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "parent_id": "c" * 16,
        "remote": False,
        "flags": 1,
        "vendors": b"",
        "name": "work",
        "kind": INTERNAL,
        "start_s": 1_800_000_000.0,
        "end_s": 1_800_000_000.5,
        "attributes": {},
        "moments": (),
        "links": (),
        "status": UNSET,
        "message": "",
        "scope": Scope("mainstay"),
    }
    return Span(**{**given, **changed})


class Heard:
    """Events that were emitted."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.listeners = Listeners()
        self.listeners.add(self.events.append)
