"""Reports of unhandled errors over Sentry's protocol, with what the policies did before them."""

from mainstay.telemetry.reports.frameworks import watch_errors
from mainstay.telemetry.reports.joining import reports_of

__all__ = ["reports_of", "watch_errors"]
