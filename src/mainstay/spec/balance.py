"""``dependencies.NAME.balance:`` which of several endpoints the caller chooses."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, ListOf, Section, Text, Whole
from mainstay.spec.kinds.quantities import duration, percentage, share_of_calls
from mainstay.spec.kinds.units import ShareOfCalls

WAYS = (
    "two_choices",
    "least_requests",
    "least_response_time",
    "rendezvous",
    "weighted",
    "round_robin",
)

_BALANCED = ("http://", "https://")

_PORT = (
    "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6(?:[0-4][0-9]{3}|5(?:[0-4][0-9]{2}|5(?:[0-2][0-9]|3[0-5]))))"
)

ENDPOINT = Text(
    what="an endpoint such as 10.0.0.1:8080, [::1]:80 or catalog-1.internal:80 weight=3",
    pattern=rf"(?:[A-Za-z0-9._-]{{1,253}}|\[[0-9A-Fa-f:.]{{2,45}}\]):{_PORT}"
    r"(?: weight=(?:[1-9][0-9]{0,3}|10000))?",
    maximum=300,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEjection:
    """When an endpoint that fails gets no calls for a while."""

    failures: int = key(
        "failures",
        Whole(minimum=1, maximum=10_000),
        default=5,
        doc="Failures in a row that eject it. Envoy's default: 5.",
    )
    rate: ShareOfCalls | None = key(
        "rate",
        share_of_calls("50% of 20 in 30s"),
        default=ShareOfCalls(share=0.5, calls_min=20, window_s=30.0),
        off=True,
        doc="Share of failed calls that ejects it, with a minimum of calls, over a time.",
    )
    time_s: float = key(
        "time",
        duration("10s"),
        default=10.0,
        doc="Length of the first ejection; the nth is n times as long. Envoy's default: 10 s.",
    )
    time_max_s: float = key(
        "time_max",
        duration("5m"),
        default=300.0,
        doc="No ejection is longer, unless `time` is. Envoy's default: 5 min.",
    )
    share_max: float = key(
        "share_max",
        percentage("50%"),
        default=0.5,
        doc="At most this share of the endpoints is away at once, rounded down; never the last.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBalance:
    """Several endpoints of a dependency, and how the caller chooses among them."""

    policy: str = key(
        "policy",
        Choice(WAYS),
        default="two_choices",
        doc="How one is chosen. two_choices: the less loaded of two at random; least_requests: the "
        "least loaded of all; least_response_time: of two, the one that would answer sooner; "
        "rendezvous: by the key of which `keyed(...)` tells; weighted: exact turns by weight; "
        "round_robin: one after the other.",
    )
    endpoints: tuple[str, ...] = key(
        "endpoints",
        ListOf(ENDPOINT, maximum=256, single=True),
        default=(),
        doc="Where it is; the host of `url` stays in the `Host` header and in the check of the "
        "certificate. None: the addresses that DNS knows of that host.",
    )
    refresh_s: float = key(
        "refresh",
        duration("30s"),
        default=30.0,
        doc="How long an answer of DNS is used before the next call asks again, beside itself.",
    )
    slow_start_s: float | None = key(
        "slow_start",
        duration("30s"),
        default=None,
        off=True,
        doc="How long an endpoint that came or returned takes to its full share of the calls.",
    )
    eject: CallEjection | None = key(
        "eject",
        Section(CallEjection, shorthand="failures"),
        default=CallEjection(),
        off=True,
        doc="Leave endpoints out that fail.",
    )


def balance_faults(
    balance: CallBalance, *, service: str | None, url: str | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield (keys below the dependency, sentence) for what no single key can know.

    Args:
        balance: As declared.
        service: Of the dependency.
        url: Of the dependency, with what a secret holds.
    """
    if service is not None:
        yield (
            ("balance", "service"),
            "the edge chooses among the replicas of a service: `balance` is for a `url`",
        )
    elif url is not None and not url.startswith(_BALANCED):
        yield ("balance", "url"), "only calls to http:// and https:// are balanced"
    elif url is not None and not _names_host(url):
        yield ("url", "balance"), "a host, and a port up to 65535 or none, is needed in the URL"
    places = [endpoint.partition(" ")[0] for endpoint in balance.endpoints]
    for place in sorted({one for one in places if places.count(one) > 1}):
        yield ("balance.endpoints",), f"{place} is there twice: give it a weight"
    eject = balance.eject
    if eject is not None and eject.rate is not None and eject.rate.window_s is None:
        yield ("balance.eject.rate",), "a share over a time is needed here: 50% of 20 in 30s"


def _names_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
