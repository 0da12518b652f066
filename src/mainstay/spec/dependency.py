"""``dependencies:`` what a service calls, and the one policy of each."""

from dataclasses import dataclass

from mainstay.spec.address import URL_PATTERN
from mainstay.spec.balance import CallBalance
from mainstay.spec.edge import URL_PATH
from mainstay.spec.health import INTERVAL, TIMES
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Either, Flag, ListOf, Section, Text, Whole
from mainstay.spec.kinds.quantities import (
    duration,
    duration_range,
    percentage,
    rate,
    share_of_calls,
)
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.kinds.units import Between, ShareOfCalls

SERVICE_NAME = Text(
    what="a service's name: lower-case letters, digits and dashes, at most 40, and not `edge`",
    pattern=r"(?!edge$)[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?",
)
DEPENDENCY_NAME = Text(
    what="a dependency's name: lower-case letters, digits, dashes and underscores, at most 40",
    pattern=r"[a-z](?:[a-z0-9_-]{0,38}[a-z0-9])?",
)


HOST = "host"
"""In place of a store: the processes of this host. So no dependency named `host` can be one."""

PERCENTILE = Text(what="a percentile such as p95", pattern=r"p[0-9]{1,2}(?:\.[0-9]{1,3})?")
STATUS = Whole(minimum=400, maximum=599)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a call may take. None means: the default of the dependency's kind."""

    connect_s: float | None = key(
        "connect", duration("500ms"), default=None, doc="To open a connection."
    )
    read_s: float | None = key("read", duration("2s"), default=None, doc="Between two reads.")
    write_s: float | None = key("write", duration("2s"), default=None, doc="Of one write.")
    attempt_s: float | str | None = key(
        "attempt",
        Either((duration("800ms"), Choice(("auto",)))),
        default=None,
        doc="Of one attempt; auto is three times the 99th percentile of recent attempts "
        "(best practices, circuit breaker: 3 × p99).",
    )
    total_s: float | None = key(
        "total", duration("2s"), default=None, doc="Of the whole call, retries and pauses included."
    )
    auto: Between = key(
        "auto",
        duration_range("50ms..30s"),
        default=Between(low_s=0.05, high_s=30.0),
        doc="Between these is an attempt that is auto; the longest also while too few attempts "
        "are known.",
    )
    least_s: float | None = key(
        "least",
        duration("20ms"),
        default=None,
        doc="With less time left than this no attempt begins, since it could not finish.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Further attempts after one that failed."""

    attempts: int = key(
        "attempts",
        Whole(minimum=1, maximum=20),
        default=3,
        doc="Tries in all, the first included. Starter pack: 3.",
    )
    backoff: Between = key(
        "backoff",
        duration_range("50ms..1s"),
        default=Between(low_s=0.05, high_s=1.0),
        doc="Pause before the second attempt, doubled up to the longest; with jitter.",
    )
    jitter: str = key(
        "jitter",
        Choice(("full", "equal", "decorrelated", "none")),
        default="full",
        doc="How the pauses are spread (Brooker, Exponential Backoff And Jitter, AWS 2015: full).",
    )
    budget: float = key(
        "budget",
        percentage("20%"),
        default=0.2,
        doc="Retries are at most this share of the calls to the dependency in a second.",
    )
    floor_per_s: float = key(
        "floor",
        rate("10/s"),
        default=10.0,
        doc="So many are allowed however few calls there are. Finagle's retry budget: 10/s.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowCalls:
    """Calls that succeed, but too late to be of use."""

    after_s: float = key("after", duration("1s"), doc="A call that takes longer is slow.")
    rate: ShareOfCalls = key(
        "rate",
        share_of_calls("50% of 20 in 30s"),
        default=ShareOfCalls(share=0.5, calls_min=20, window_s=30.0),
        doc="Share of slow calls that opens the circuit, with a minimum of calls, over a window.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Stop calling a dependency that fails."""

    failures: int = key(
        "failures",
        Whole(minimum=1, maximum=10_000),
        default=5,
        doc="Failures in a row that open the circuit. Starter pack: 5.",
    )
    rate: ShareOfCalls | None = key(
        "rate",
        share_of_calls("50% of 20 in 30s"),
        default=None,
        off=True,
        doc="Share of failures that opens it, with a minimum of calls, over a window.",
    )
    slow: SlowCalls | None = key(
        "slow",
        Section(SlowCalls, shorthand="after"),
        default=None,
        off=True,
        doc="Slow calls open it too.",
    )
    open_s: float = key(
        "open",
        duration("60s"),
        default=60.0,
        doc="How long it stays open before a probe is let through. Starter pack: 60 s.",
    )
    open_max_s: float = key(
        "open_max",
        duration("5m"),
        default=300.0,
        doc="After each bad probe it stays open twice as long, up to this.",
    )
    successes: int = key(
        "successes",
        Whole(minimum=1, maximum=1000),
        default=2,
        doc="Good probes in a row that close it. Starter pack: 2.",
    )
    probes: int = key(
        "probes",
        Whole(minimum=1, maximum=1000),
        default=1,
        doc="How many probes may be on their way at once.",
    )
    shadow: bool = key(
        "shadow", Flag(), default=False, doc="Count and report, but reject nothing: to try it out."
    )
    share: str | None = key(
        "share",
        Either((Choice((HOST,)), DEPENDENCY_NAME)),
        default=None,
        off=True,
        doc="Who else need not find out: `host`, the service's processes on this machine; or, "
        "through the dependency of that name, those on all machines: its url is valkey or redis. "
        "While nobody can be told, each process is on its own.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulkhead:
    """How many calls to the dependency may be in flight."""

    limit: int = key("limit", Whole(minimum=1, maximum=100_000), default=32, doc="At once.")
    queue: int = key(
        "queue",
        Whole(minimum=0, maximum=100_000),
        default=0,
        doc="How many more may wait; 0 fails fast (best practices, bulkhead).",
    )
    wait_s: float = key(
        "wait", duration("100ms"), default=0.1, doc="How long one may wait for its place."
    )
    per_key: int | None = key(
        "per_key",
        Whole(minimum=1, maximum=100_000),
        default=None,
        off=True,
        doc="At once with the same key, of which `keyed(...)` tells: one tenant can't take it all.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """A second attempt beside a slow first one."""

    after_s: float | str = key(
        "after",
        Either((duration("100ms"), PERCENTILE)),
        doc="Start it after this, or when that share of recent attempts would have answered "
        "(Dean and Barroso, The Tail at Scale: the 95th percentile).",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRate:
    """How often the dependency may be called."""

    rate_per_s: float = key("rate", rate("50/s"), doc="Calls to the dependency.")
    burst: int = key(
        "burst", Whole(minimum=1, maximum=1_000_000), default=1, doc="At once after a pause."
    )
    wait_s: float | None = key(
        "wait",
        duration("100ms"),
        default=None,
        off=True,
        doc="How long a call may wait for its turn; off rejects what comes too early.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What is answered when a call fails: the last good answer to the same question."""

    last_good: int = key(
        "last_good",
        Whole(minimum=1, maximum=100_000),
        doc="So many last good answers are kept in each process.",
    )
    age_max_s: float = key(
        "age_max", duration("5m"), default=300.0, doc="Older ones are not answered."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How health asks after the dependency. None means: the default of its kind."""

    path: str | None = key(
        "path", URL_PATH, default=None, doc="What is asked of an HTTP dependency."
    )
    timeout_s: float | None = key(
        "timeout", duration("1s", maximum_s=60), default=None, doc="Of one check."
    )
    interval_s: float | None = key(
        "interval", INTERVAL, default=None, doc="From one check to the next."
    )
    failures: int | None = key(
        "failures", TIMES, default=None, doc="Failures in a row until it counts."
    )
    successes: int | None = key(
        "successes", TIMES, default=None, doc="Good answers in a row that end a failure."
    )
    affects: tuple[str, ...] = key(
        "affects",
        ListOf(URL_PATH, maximum=20),
        default=(),
        doc="Paths of the service that suffer when it fails; shown in its health while it does.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that the service calls."""

    service: str | None = key(
        "service", SERVICE_NAME, default=None, doc="Another service of this system."
    )
    url: str | Secret | None = key(
        "url",
        Text(
            what="a URL such as https://api.example.com",
            pattern=URL_PATTERN,
            secret=True,
        ),
        default=None,
        doc="Anything else: http, https, postgresql, redis, nats and so on.",
    )
    criticality: str = key(
        "criticality",
        Choice(("required", "optional")),
        default="required",
        doc="required: without it the service is not ready; optional: the service is degraded.",
    )
    timeout: Timeouts = key(
        "timeout",
        Section(Timeouts, shorthand="total"),
        default=Timeouts(),
        doc="How long a call may take.",
    )
    retry: Retry | None = key(
        "retry", Section(Retry, shorthand="attempts"), default=Retry(), off=True, doc="Retries."
    )
    breaker: Breaker | None = key(
        "breaker", Section(Breaker, shorthand="failures"), default=Breaker(), off=True,
        doc="The circuit breaker.",
    )  # fmt: skip
    bulkhead: Bulkhead | None = key(
        "bulkhead", Section(Bulkhead, shorthand="limit"), default=Bulkhead(), off=True,
        doc="Calls in flight.",
    )  # fmt: skip
    rate_limit: CallRate | None = key(
        "rate_limit", Section(CallRate, shorthand="rate"), default=None, off=True,
        doc="Calls a second.",
    )  # fmt: skip
    hedge: Hedge | None = key(
        "hedge", Section(Hedge, shorthand="after"), default=None, off=True,
        doc="A second attempt beside a slow first one; only for asynchronous calls.",
    )  # fmt: skip
    fallback: Fallback | None = key(
        "fallback", Section(Fallback, shorthand="last_good"), default=None, off=True,
        doc="What is answered when a call fails; code may say more.",
    )  # fmt: skip
    balance: CallBalance | None = key(
        "balance", Section(CallBalance, shorthand="policy"), default=None, off=True,
        doc="Which of several endpoints a call of an HTTP client goes to; without it, what `url` "
        "names.",
    )  # fmt: skip
    excluded: tuple[int, ...] = key(
        "excluded", ListOf(STATUS, maximum=50), default=(),
        doc="Statuses that are no failures of it, of those that would be: 429, and 500 and above.",
    )  # fmt: skip
    check: Check | None = key(
        "check", Section(Check, shorthand="path"), default=Check(), off=True,
        doc="How health asks after it.",
    )  # fmt: skip
