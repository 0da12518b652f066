"""``inbound.rate_limit:`` how often requests may arrive."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile

from mainstay.spec.dependency import DEPENDENCY_NAME, Dependency
from mainstay.spec.faults import Fault, fault_at, shown
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, ListOf, MapOf, Text, Whole
from mainstay.spec.kinds.quantities import quota
from mainstay.spec.kinds.units import Quota
from mainstay.spec.routes import ROUTE
from mainstay.spec.sources import Declared
from mainstay.spec.stores import store_faults

LIMITS_MAX = 16
"""More than one for each way of telling callers apart, by day and by minute: nobody reads more."""

LIMIT_NAME = Text(
    what="a limit's name: lower-case letters, digits, dashes and underscores, at most 40",
    pattern=r"[a-z](?:[a-z0-9_-]{0,38}[a-z0-9])?",
)
BY = Text(
    what="client_ip, header:NAME, user, tenant, route or service",
    pattern=r"client_ip|header:[A-Za-z0-9_-]{1,64}|user|tenant|route|service",
)
NEAR = "near"
_KEY = "inbound.rate_limit"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How often one caller may ask. Several limits hold at once: a request must pass them all."""

    rate: Quota = key(
        "rate",
        quota("100/s"),
        doc="Requests one caller may make in the long run. The quick start guide has 100 a minute "
        "where nothing is said, and 1000 an hour as its example.",
    )
    burst: int | None = key(
        "burst",
        Whole(minimum=1, maximum=1_000_000),
        default=None,
        doc="Requests it may make at once after a pause. Without it as many as `rate` names: 1000 "
        "for 1000/h, as a counter for each hour would allow.",
    )
    name: str = key(
        "name",
        LIMIT_NAME,
        default="default",
        doc="What headers, events and the store call it; each limit has a name of its own.",
    )
    by: str = key(
        "by",
        BY,
        default="client_ip",
        doc="What tells one caller from another: the address (of IPv6 the /64 network, which one "
        "customer has whole), a header such as an API key (hashed), the user or tenant (a function "
        "of yours tells), the path of `for`; `service`: all callers together. Where a request "
        "lacks it, the address stands in.",
    )
    routes: tuple[str, ...] = key(
        "for",
        ListOf(ROUTE, maximum=32, single=True),
        default=(),
        doc="Only for these paths and what is below them; without it for all.",
    )
    methods: tuple[str, ...] = key(
        "methods",
        ListOf(Choice(METHODS), maximum=len(METHODS), single=True),
        default=(),
        doc="Only for these methods, GET meaning HEAD too; without it for all.",
    )
    cost: int = key(
        "cost",
        Whole(minimum=1, maximum=1_000_000),
        default=1,
        doc="As how many requests one counts.",
    )
    costs: tuple[tuple[str, int], ...] = key(
        "costs",
        MapOf(ROUTE, Whole(minimum=1, maximum=1_000_000), maximum=32),
        default=(),
        doc="As how many it counts below a path, in place of `cost`; the first that fits.",
    )
    headers: str | None = key(
        "headers",
        Choice((NEAR, "always")),
        default=NEAR,
        off=True,
        doc="When answers tell of it in `RateLimit` and `RateLimit-Policy`. near: as soon as half "
        "of the burst or less is left, and in refusals. Off where it would tell strangers how much "
        "the service can take.",
    )
    store: str | None = key(
        "store",
        DEPENDENCY_NAME,
        default=None,
        doc="The dependency that counts for all replicas together: its url is valkey or redis. "
        "Without it each replica counts for itself, and lets through the whole rate.",
    )

    @property
    def burst_calls(self) -> int:
        """Requests at once after a pause: as declared, else as many as the rate names."""
        return self.rate.count if self.burst is None else self.burst


def rate_limit_faults(
    limits: Sequence[RateLimit],
    dependencies: Sequence[tuple[str, Dependency]],
    declared: Declared,
) -> Iterator[Fault]:
    """Yield what is wrong with the limits of a service as a whole.

    Args:
        limits: As declared.
        dependencies: Of the same service.
        declared: Where the keys stand.
    """
    names: set[str] = set()
    stores: set[str] = set()
    for path, limit in zip(_paths(limits, declared), limits, strict=False):
        for needed, of_key, sentence in _own_faults(limit, names):
            if all(declared.is_sure(f"{path}.{one}") for one in needed):
                at = f"{path}.{of_key}"
                yield fault_at(declared.place(at), at, sentence)
        if declared.is_sure(f"{path}.name"):
            names.add(limit.name)
        of_store = f"{path}.store"
        if limit.store is None or not declared.is_sure(of_store):
            continue
        yield from store_faults(limit.store, of_store, dependencies, declared)
        stores.add(limit.store)
        if len(stores) > 1:
            # Nothing is taken from one store unless the other lets the request pass, too.
            sentence = "all limits with a store need the same one: a request takes from all or none"
            yield fault_at(declared.place(of_store), of_store, sentence, found=shown(limit.store))


def _paths(limits: Sequence[RateLimit], declared: Declared) -> list[str]:
    """Return where each limit stands; fewer, where that can't be told.

    What could not be read is not among the limits, so that later ones have another number.
    """
    items = [f"{_KEY}[{index}]" for index in range(LIMITS_MAX)]
    items = [item for item in items if item in declared.places]
    if not items:
        # One that is no list.
        return [_KEY]
    unread = {path for path in items if not declared.wrong.isdisjoint((path, f"{path}.rate"))}
    read = [path for path in items if path not in unread]
    if len(read) == len(limits):
        return read
    return list(takewhile(declared.is_sure, items))


def _own_faults(
    limit: RateLimit, names: AbstractSet[str]
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield what is wrong with one limit, given the names before it.

    Each fault has the keys that say so, the one to mend, and the sentence.
    """
    if limit.name in names:
        sentence = f"a second limit named {limit.name}: each needs a name of its own"
        yield ("name",), "name", sentence
    if limit.by == "route" and not limit.routes:
        yield ("by", "for"), "by", "`by: route` needs the paths that are counted, in `for`"
    burst = limit.burst_calls
    counted = ("rate", "burst")
    if limit.cost > burst:
        sentence = f"no request could pass: it costs {limit.cost}, and the burst is {burst}"
        yield ("cost", *counted), "cost", sentence
    for route, cost in limit.costs:
        if cost > burst:
            sentence = f"no request could pass: it costs {cost}, and the burst is {burst}"
            yield (f"costs.{route}", *counted), f"costs.{route}", sentence
