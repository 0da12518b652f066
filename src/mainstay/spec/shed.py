"""``inbound.shed:`` how many requests are worked on at once, and who goes when more come."""

from collections.abc import Iterator
from dataclasses import dataclass

from mainstay.spec.edge import HEADER
from mainstay.spec.faults import Fault, fault_at
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, ListOf, Section, Whole
from mainstay.spec.kinds.quantities import duration, percentage
from mainstay.spec.routes import ROUTE
from mainstay.spec.sources import Declared

PRIORITIES = ("critical", "high", "medium", "low")
"""The first goes last. A request's priority is its place in this row."""

_TAKEN = (
    (
        "it says how the request is to be read",
        "connection", "content-encoding", "content-length", "content-range", "content-type",
        "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    ),
    (
        "it says who asks",
        "authorization", "cookie", "cookie2", "dpop", "forwarded", "from", "origin",
        "proxy-authorization", "referer", "signature", "signature-input", "user-agent", "via",
        "x-api-key", "x-csrf-token", "x-csrftoken", "x-real-ip", "x-requested-with",
        "x-xsrf-token",
    ),
    (
        "it says what is asked for",
        "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "date",
        "dnt", "if-match", "if-modified-since", "if-none-match", "if-range",
        "if-unmodified-since", "max-forwards", "pragma", "prefer", "priority", "range",
        "x-http-method-override",
    ),
    (
        "it says which request this is",
        "b3", "baggage", "idempotency-key", "traceparent", "tracestate", "x-correlation-id",
        "x-request-id",
    ),
    ("it says by when an answer is needed", "grpc-timeout", "x-request-timeout"),
)  # fmt: skip
_TAKEN_FAMILIES = (
    ("it is for browsers to say", ("access-control-", "sec-")),
    ("proxies tell each other by it", ("x-b3-", "x-envoy-", "x-forwarded-", "x-mainstay-")),
)
"""Headers that mean something else: the edge removes a client's word on its priority, and nobody
can do without these. First why, then which."""

_WHY = {name: why for why, *names in _TAKEN for name in names}

_ROUTES = ListOf(ROUTE, maximum=64, single=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priorities:
    """Which requests matter more than others. What is not named here is medium."""

    critical: tuple[str, ...] = key(
        "critical",
        _ROUTES,
        default=(),
        doc="Paths, and what is below them, that a tenth of the limit is kept free for.",
    )
    high: tuple[str, ...] = key("high", _ROUTES, default=(), doc="Paths that go before medium.")
    medium: tuple[str, ...] = key(
        "medium", _ROUTES, default=(), doc="Paths within others that are not."
    )
    low: tuple[str, ...] = key(
        "low", _ROUTES, default=(), doc="Paths that are turned away first: reports, exports, bulk."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed:
    """Admission: what is begun at once is bounded, so that what is begun gets done."""

    mode: str = key(
        "mode",
        Choice(("adaptive", "fixed")),
        default="adaptive",
        doc="adaptive: the limit follows the latency; fixed: it stays at `limit`.",
    )
    limit: int = key(
        "limit",
        Whole(minimum=1, maximum=100_000),
        default=100,
        doc="Requests worked on at once; adaptive begins with it, within its bounds. The default "
        "is more than one Python process does well, so that nothing is turned away before the "
        "latency is known.",
    )
    limit_min: int = key(
        "limit_min",
        Whole(minimum=1, maximum=100_000),
        default=3,
        doc="Adaptive never goes below. As Envoy's adaptive concurrency.",
    )
    limit_max: int = key(
        "limit_max",
        Whole(minimum=1, maximum=100_000),
        default=1000,
        doc="Adaptive never goes above. Envoy's and Netflix's have 1000.",
    )
    queue: int = key(
        "queue",
        Whole(minimum=0, maximum=100_000),
        default=100,
        doc="Requests that may wait for their turn; one more is answered with 503, the least "
        "important first. 0: nobody waits.",
    )
    wait_s: float = key(
        "wait",
        duration("500ms", maximum_s=60),
        default=0.5,
        doc="The longest wait. When somebody has waited at every moment of such a time, this is "
        "overload: then the newest goes first, and a twentieth of it is the longest wait. "
        "Facebook, Fail at Scale: 100 ms and 5 ms, for services that answer in a few.",
    )
    priorities: Priorities = key(
        "priorities",
        Section(Priorities),
        default=Priorities(),
        doc="Who goes first, by path; the longest that fits counts.",
    )
    header: str | None = key(
        "header",
        HEADER,
        default=None,
        off=True,
        doc="The header by which peers in `inbound.trust` say the priority: critical, high, medium "
        "or low. The edge removes it from what comes from outside. Off by default: another proxy "
        "that hands on what a client wrote would let anybody be critical.",
    )
    cpu_max: float | None = key(
        "cpu_max",
        percentage("90%"),
        default=0.9,
        off=True,
        doc="From this share of one core on, the limit grows no more while the latency does. Best "
        "practices alert at 80 %, which is busy but not yet too much.",
    )
    lag_max_s: float | None = key(
        "lag_max",
        duration("100ms", maximum_s=60),
        default=0.1,
        off=True,
        doc="The same for an event loop that is late by so much.",
    )


def shed_faults(shed: Shed, declared: Declared) -> Iterator[Fault]:
    """Yield what is wrong with the section as a whole.

    Args:
        shed: As declared.
        declared: Where the keys stand.
    """
    path = "inbound.shed"
    if not declared.is_sure(path):
        return
    for key_name, sentence in _own_faults(shed, is_limited=declared.has(f"{path}.limit")):
        of_key = f"{path}.{key_name}"
        yield fault_at(declared.place(of_key), of_key, sentence)


def _taken(header: str) -> str | None:
    """Return what a header, in lower case, means by itself; None where nobody else uses it."""
    for why, beginnings in _TAKEN_FAMILIES:
        if header.startswith(beginnings):
            return why
    return _WHY.get(header)


def _own_faults(shed: Shed, *, is_limited: bool) -> Iterator[tuple[str, str]]:
    low, high = shed.limit_min, shed.limit_max
    if low > high:
        yield "limit_min", f"the least limit, {low}, is above the greatest, {high}"
    elif is_limited and shed.mode == "adaptive" and not low <= shed.limit <= high:
        yield "limit", f"the limit begins at {shed.limit}, which is not within {low} and {high}"
    header = (shed.header or "").lower()
    why = _taken(header)
    if why is not None:
        yield (
            "header",
            (
                f"{shed.header} is taken: {why}, and the edge would remove what clients write "
                "there; take a header of its own: X-Request-Priority"
            ),
        )
    elif "_" in header:
        yield (
            "header",
            f"the edge drops headers with an underscore: write {header.replace('_', '-')}",
        )
    seen: dict[str, str] = {}
    for name in PRIORITIES:
        for index, route in enumerate(getattr(shed.priorities, name)):
            if route in seen:
                yield f"priorities.{name}[{index}]", f"{route} is {seen[route]} already"
            seen.setdefault(route, name)
