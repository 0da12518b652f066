"""OpenTelemetry's context is the process's: each test has ours, and leaves what was there."""

from random import Random

import pytest
from opentelemetry import context as context_api

from mainstay.core.trace import SAMPLE_ALL
from mainstay.telemetry.traces.bridge import TracerProvider
from mainstay.telemetry.traces.bridge.current import RequestContext
from mainstay.telemetry.traces.span import Span
from mainstay.testing.clock import VirtualClock


class World:
    """A provider whose spans are kept here."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.spans: list[Span] = []
        self.provider = self.provider_with(SAMPLE_ALL)
        self.tracer = self.provider.get_tracer("shop", "1.0")

    def provider_with(self, below: int) -> TracerProvider:
        return TracerProvider(
            put=self.spans.append,
            clock=self.clock,
            rng=Random(3),
            below=below,
            flush=lambda _within_s: True,
        )

    def one(self, name: str) -> Span:
        [found] = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(context_api, "_RUNTIME_CONTEXT", RequestContext(made.clock))
    return made
