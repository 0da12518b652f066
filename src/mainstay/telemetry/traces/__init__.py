"""Spans: made from exchanges and events, kept by sample or at the end, sent over OTLP."""

from mainstay.core.carrying import CarryingExecutor
from mainstay.telemetry.traces.exporter import SpansDropped
from mainstay.telemetry.traces.joining import Tracing, tracing_of

__all__ = ["CarryingExecutor", "SpansDropped", "Tracing", "tracing_of"]
