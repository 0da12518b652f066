"""OpenTelemetry's API on our spans: what user code asks for finds the request it is in."""

from mainstay.telemetry.traces.bridge.install import install
from mainstay.telemetry.traces.bridge.tracer import TracerProvider

__all__ = ["TracerProvider", "install"]
