"""``telemetry:`` what a service tells of itself, and where that goes."""

from dataclasses import dataclass

from mainstay.spec.edge import URL_PATH
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Flag, ListOf, Section, Text, Whole
from mainstay.spec.kinds.quantities import duration, percentage, rate

KEY_NAME = Text(what="the name of a key, such as iban", pattern=r"[A-Za-z0-9_.-]{1,64}")
HTTP_URL = Text(what="an http:// or https:// URL", pattern=r"https?://\S{1,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Lines on stdout."""

    level: str = key(
        "level",
        Choice(("debug", "info", "warning", "error", "critical")),
        default="info",
        doc="Lines below it are not written. Production readiness reference: info in production.",
    )
    burst_per_s: float | None = key(
        "burst",
        rate("1000/s"),
        default=1000.0,
        off=True,
        doc="Of one logger and level; what comes above is counted, and told once a second.",
    )
    mask: tuple[str, ...] = key(
        "mask",
        ListOf(KEY_NAME, maximum=256),
        default=(),
        doc="Further names of keys whose values are masked, beside those that everybody has "
        "(password, token, authorization, ...).",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures at an endpoint."""

    path: str = key(
        "path", URL_PATH, default="/metrics", doc="Where they are asked for; not at the edge."
    )
    series_max: int = key(
        "series_max",
        Whole(minimum=10, maximum=1_000_000),
        default=2000,
        doc="Of one metric; values of labels beyond are folded into one, and counted.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Spans over OTLP."""

    sample: float = key(
        "sample",
        percentage("10%"),
        default=0.1,
        doc="Of requests whose caller has not decided. Errors and slow requests are always kept.",
    )
    slow_s: float = key(
        "slow",
        duration("1s", maximum_s=3600.0),
        default=1.0,
        doc="A request that took longer is kept. Quick start guide: alerts begin at 1 s.",
    )
    calls: bool = key(
        "calls", Flag(), default=True, doc="Whether calls that leave make spans of their own."
    )
    endpoint: str | None = key(
        "endpoint",
        HTTP_URL,
        default=None,
        off=True,
        doc="Of an OTLP receiver over HTTP, without /v1/traces. `mainstay up` names its own, which "
        "`mainstay trace` reads; elsewhere OTEL_EXPORTER_OTLP_ENDPOINT is heeded.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReports:
    """Unhandled errors over Sentry's protocol."""

    dsn: str = key(
        "dsn",
        Text(what="a Sentry DSN", pattern=r"https?://\S{1,2000}", secret=True),
        doc="Where they go.",
    )
    sample: float = key(
        "sample", percentage("100%"), default=1.0, doc="Of errors that are reported."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """Logs, metrics, traces and error reports."""

    logs: Logs | None = key(
        "logs", Section(Logs, shorthand="level"), default=Logs(), off=True, doc="Lines on stdout."
    )
    metrics: Metrics | None = key(
        "metrics",
        Section(Metrics, shorthand="path"),
        default=Metrics(),
        off=True,
        doc="Figures at an endpoint.",
    )
    traces: Traces | None = key(
        "traces", Section(Traces, shorthand="sample"), default=Traces(), off=True, doc="Spans."
    )
    errors: ErrorReports | None = key(
        "errors",
        Section(ErrorReports, shorthand="dsn"),
        default=None,
        off=True,
        doc="Reports of unhandled errors.",
    )
    environment: str = key(
        "environment",
        Text(what="a name such as production", pattern=r"[A-Za-z0-9_.-]{1,40}"),
        default="dev",
        doc="`deployment.environment.name` of every signal.",
    )
