"""``edge:`` what the proxy does before a service."""

from dataclasses import dataclass

from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import (
    Address,
    Choice,
    Flag,
    ListOf,
    MapOf,
    Section,
    Text,
    Weight,
    Whole,
)
from mainstay.spec.kinds.quantities import duration, percentage, size

VERSION = Text(what="a version such as 1.4.2", pattern=r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}")
HEADER = Text(what="a header's name", pattern=r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
URL_PATH = Text(what="a path such as /health/ready", pattern=r"/[!-~]{0,255}")

BALANCE_POLICIES = (
    "round_robin",
    "weighted",
    "least_requests",
    "ring_hash",
    "maglev",
    "random",
    "least_response_time",
)
HTTP = "http"
PROTOCOLS = (
    HTTP, "tcp", "valkey", "redis", "memcached", "postgresql", "mysql", "nats", "amqp",
)  # fmt: skip
RETRY_CONDITIONS = ("connect", "reset_before_request", "reset", "503", "5xx", "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Which replica gets a request."""

    policy: str = key(
        "policy",
        Choice(BALANCE_POLICIES),
        default="least_requests",
        doc="How a replica is chosen. `weighted` is round robin by the replicas' weights. Envoy "
        "has no least_response_time: least_requests with five draws in place of three stands in.",
    )
    hash_header: str | None = key(
        "hash_header",
        HEADER,
        default=None,
        doc="For ring_hash and maglev: the request header that is hashed; without it the "
        "client's address is.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How the edge asks a replica whether it can serve."""

    kind: str = key(
        "kind",
        Choice(("auto", "http", "tcp")),
        default="auto",
        doc="auto: HTTP where the app answers `path` as a wrapped app does, else TCP.",
    )
    path: str = key(
        "path",
        URL_PATH,
        default="/health/ready",
        doc="What HTTP checks ask for; 200 is healthy.",
    )
    interval_s: float = key(
        "interval",
        duration("5s", minimum_s=0.05, maximum_s=600),
        default=5.0,
        doc="Between two checks of one replica. Starter pack: 5 s.",
    )
    timeout_s: float = key(
        "timeout",
        duration("2s", maximum_s=60),
        default=2.0,
        doc="Of one check. Best practices, health checks: 2 s.",
    )
    fall: int = key(
        "fall",
        Whole(minimum=1, maximum=100),
        default=3,
        doc="Failed checks in a row until a replica gets no traffic. Starter pack: 3.",
    )
    rise: int = key(
        "rise",
        Whole(minimum=1, maximum=100),
        default=2,
        doc="Good checks in a row until it gets traffic again. Starter pack: 2.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """Outlier ejection: a replica that answers its checks but fails requests."""

    failures: int = key(
        "failures",
        Whole(minimum=1, maximum=1000),
        default=5,
        doc="Responses of 5xx, resets or refused connections in a row that eject a replica.",
    )
    time_s: float = key(
        "time",
        duration("10s", maximum_s=3600),
        default=10.0,
        doc="The first ejection's length; the nth of a replica is n times as long.",
    )
    share_max: float = key(
        "share_max",
        percentage("50%"),
        default=0.5,
        doc="At most this share of the replicas is ejected at once.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRetry:
    """Retries at the edge, on another replica."""

    on: tuple[str, ...] = key(
        "on",
        ListOf(Choice(RETRY_CONDITIONS), maximum=len(RETRY_CONDITIONS)),
        default=("connect", "reset_before_request", "503"),
        doc="What is retried. For GET, HEAD and OPTIONS a reset after the request was sent is "
        "retried as well; for other methods 503, 5xx and gateway never are.",
    )
    attempts: int = key(
        "attempts",
        Whole(minimum=1, maximum=10),
        default=2,
        doc="Tries in all, the first included.",
    )
    budget: float = key(
        "budget",
        percentage("20%", minimum=0.0),
        default=0.2,
        doc="Retries in flight are at most this share of the requests in flight; 32 "
        "may always be in flight.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeLimits:
    """What one client, or all of them together, may take of the edge."""

    connections: int = key(
        "connections",
        Whole(minimum=1, maximum=1_000_000),
        default=10_000,
        doc="Client connections of one listener at once; one more is closed.",
    )
    header_bytes_max: int = key(
        "header",
        size("60KiB", minimum=1024, maximum=96 * 1024),
        default=60 * 1024,
        doc="All request headers together; more is answered with 431.",
    )
    headers_max: int = key(
        "headers",
        Whole(minimum=1, maximum=1000),
        default=100,
        doc="Number of request headers; more is answered with 431.",
    )
    body_bytes_max: int | None = key(
        "body",
        size("64MiB"),
        default=None,
        off=True,
        doc="A request body longer than this is answered with 413. `off` (the default) streams "
        "bodies of any length; with a bound the edge buffers each body before the app sees it.",
    )
    header_timeout_s: float = key(
        "header_timeout",
        duration("10s", maximum_s=600),
        default=10.0,
        doc="A client must send its whole request head within this, or is answered with 408.",
    )
    idle_timeout_s: float = key(
        "idle_timeout",
        duration("60s", maximum_s=3600),
        default=60.0,
        doc="A client connection without a request is closed after this.",
    )
    stream_idle_timeout_s: float = key(
        "stream_idle_timeout",
        duration("60s", maximum_s=3600),
        default=60.0,
        doc="A request on which no byte moves, either way, is ended after this.",
    )
    pending: int = key(
        "pending",
        Whole(minimum=1, maximum=1_000_000),
        default=1024,
        doc="Requests that wait for a connection to a replica; one more is answered with 503.",
    )
    requests: int = key(
        "requests",
        Whole(minimum=1, maximum=1_000_000),
        default=4096,
        doc="Requests in flight to all replicas of the service; one more is answered with 503.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The proxy before a service."""

    port: int | None = key(
        "port",
        Whole(minimum=1, maximum=65535),
        default=None,
        off=True,
        doc="Where clients reach the service. Without one only other services reach it.",
    )
    host: str = key(
        "host",
        Address(),
        default="127.0.0.1",
        doc="Address that `port` is opened on: loopback by default; 0.0.0.0 opens it to all.",
    )
    protocol: str = key(
        "protocol",
        Choice(PROTOCOLS),
        default=HTTP,
        doc="What the service speaks. All but http is carried byte for byte (TCP), and is the "
        "scheme of the URL that its callers get: valkey://127.0.0.1:20123. Of `edge`, what is "
        "about requests means nothing to it then; `retry` is for connections.",
    )
    balance: Balance = key(
        "balance",
        Section(Balance, shorthand="policy"),
        default=Balance(),
        doc="Which replica gets a request.",
    )
    health: HealthCheck = key(
        "health",
        Section(HealthCheck, shorthand="kind"),
        default=HealthCheck(),
        doc="Active health checks.",
    )
    eject: Ejection | None = key(
        "eject", Section(Ejection), default=Ejection(), off=True, doc="Outlier ejection."
    )
    retry: EdgeRetry | None = key(
        "retry",
        Section(EdgeRetry, shorthand="attempts"),
        default=EdgeRetry(),
        off=True,
        doc="Retries on the next replica.",
    )
    timeout_s: float | None = key(
        "timeout",
        duration("15s", maximum_s=86400),
        default=None,
        off=True,
        doc="Of a whole request at the edge; without one, `inbound.deadline` and a second more.",
    )
    limits: EdgeLimits = key(
        "limits", Section(EdgeLimits), default=EdgeLimits(), doc="Connections, headers, bodies."
    )
    weights: tuple[tuple[str, int], ...] = key(
        "weights",
        MapOf(VERSION, Weight(maximum=10_000), maximum=16),
        default=(),
        doc="Share of the traffic for each version that runs; without it all replicas are "
        "alike. A version that is named here, but is not `version`, goes on running beside it.",
    )
    access_log: bool = key(
        "access_log", Flag(), default=True, doc="One JSON line for each request at the edge."
    )

    @property
    def check_kind(self) -> str:
        """How a replica is asked: as declared, and by TCP where it would not know HTTP."""
        return "tcp" if self.protocol != HTTP else self.health.kind
