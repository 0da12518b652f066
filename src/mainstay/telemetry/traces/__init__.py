"""Spans: made from exchanges and events, kept by sample or at the end, sent over OTLP."""

from mainstay.telemetry.traces.exporter import SpansDropped
from mainstay.telemetry.traces.joining import Tracing, tracing_of

__all__ = ["SpansDropped", "Tracing", "tracing_of"]
