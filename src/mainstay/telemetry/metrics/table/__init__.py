"""Every metric that Mainstay itself makes: names, labels and sentences, as rows of one table.

Names of HTTP are those of OpenTelemetry's semantic conventions as Prometheus writes them; for
policies there is no convention, and theirs begin with ``mainstay_``.
"""

from mainstay.telemetry.metrics.table.row import Row
from mainstay.telemetry.metrics.table.table import FAMILIES, ROWS, counter, family, gauge, histogram

__all__ = ["FAMILIES", "ROWS", "Row", "counter", "family", "gauge", "histogram"]
