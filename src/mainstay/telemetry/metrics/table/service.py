"""Rows of what a service decides about itself: admission, health, its guards and their stores."""

from mainstay.telemetry.metrics.snapshot import Across
from mainstay.telemetry.metrics.table.row import counter_row, gauge_row

_ADMISSION, _HEALTH, _STORES = "Admission", "Health and the way out", "Guards and their stores"

ROWS = (
    gauge_row(_ADMISSION, "mainstay_admission_limit", "Requests that may be worked on at once."),
    gauge_row(_ADMISSION, "mainstay_admission_in_flight", "Requests that are worked on."),
    gauge_row(_ADMISSION, "mainstay_admission_waiting", "Requests that wait to be worked on."),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_latency",
        "Mean of the last window, from admission until the answer began.",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_baseline",
        "What that is with little in flight.",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_loop_lag",
        "How late the event loop was, at worst, in the last window.",
        unit="seconds",
        across=Across.MAX,
    ),
    counter_row(
        _ADMISSION,
        "mainstay_admission_refused",
        "Requests turned away by admission, by priority: 0 is critical, 3 is low.",
        "priority",
    ),
    counter_row(
        _ADMISSION, "mainstay_overloads", "Times in which somebody had to wait at every moment."
    ),
    gauge_row(_ADMISSION, "mainstay_overloaded", "Processes that are overloaded."),
    gauge_row(
        _HEALTH,
        "mainstay_check_failing",
        "Whether a check of health counts as failed.",
        "check",
        "critical",
        across=Across.MAX,
    ),
    gauge_row(
        _HEALTH,
        "mainstay_check_duration",
        "How long a check last took.",
        "check",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(_HEALTH, "mainstay_draining", "Processes that are on their way out."),
    counter_row(_HEALTH, "mainstay_drain_cut", "Requests that the bound of a drain cut off."),
    counter_row(_HEALTH, "mainstay_closers_failed", "Things that could not be closed in order."),
    counter_row(
        _STORES,
        "mainstay_rate_limited",
        "Requests turned away by a rate limit.",
        "limit",
        "by",
    ),
    counter_row(
        _STORES,
        "mainstay_idempotency",
        "What became of idempotency keys: replayed, not_kept, abandoned or lease_lost.",
        "outcome",
        "reason",
    ),
    counter_row(
        _STORES,
        "mainstay_sessions",
        "What became of sessions: changes_lost, unavailable or revoked.",
        "outcome",
        "reason",
    ),
    gauge_row(
        _STORES,
        "mainstay_limit_store_away",
        "Processes that limit by themselves, because the store of the limits is away.",
    ),
    gauge_row(
        _STORES, "mainstay_store_away", "Processes for which a store does not answer.", "store"
    ),
)
