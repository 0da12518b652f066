"""Metrics: counted in the process, told in Prometheus' text and OpenMetrics."""

from mainstay.telemetry.metrics.metric import Counter, Gauge, Histogram
from mainstay.telemetry.metrics.registry import Registry

__all__ = ["Counter", "Gauge", "Histogram", "Registry"]
