"""``inbound.rate_limit:`` how often requests may arrive."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mainstay.spec.dependency import DEPENDENCY_NAME, Dependency
from mainstay.spec.faults import Fault, fault_at, shown
from mainstay.spec.keys import key
from mainstay.spec.kinds import Choice, Flag, ListOf, MapOf, Text, Whole
from mainstay.spec.quantities import quota
from mainstay.spec.routes import ROUTE
from mainstay.spec.sources import Declared
from mainstay.spec.stores import store_faults
from mainstay.spec.units import Quota

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
    headers: bool = key(
        "headers",
        Flag(),
        default=True,
        doc="Whether answers tell of it in `RateLimit` and `RateLimit-Policy`. Off where it would "
        "tell strangers how much the service can take.",
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
    items = sum(f"{_KEY}[{index}]" in declared.places for index in range(LIMITS_MAX))
    names: set[str] = set()
    stores: set[str] = set()
    for index, limit in enumerate(limits):
        path = f"{_KEY}[{index}]"
        if path not in declared.places:
            # One that is no list.
            path = _KEY
        if not declared.is_sure(path):
            if len(limits) < items:
                # Where one could not be read, the later ones' numbers are off by it.
                return
            continue
        for key_name, sentence in _own_faults(limit, names):
            of_key = f"{path}.{key_name}"
            yield fault_at(declared.place(of_key), of_key, sentence)
        names.add(limit.name)
        if limit.store is None:
            continue
        of_store = f"{path}.store"
        yield from store_faults(limit.store, of_store, dependencies, declared)
        stores.add(limit.store)
        if len(stores) > 1:
            # Nothing is taken from one store unless the other lets the request pass, too.
            sentence = "all limits with a store need the same one: a request takes from all or none"
            yield fault_at(declared.place(of_store), of_store, sentence, found=shown(limit.store))


def _own_faults(limit: RateLimit, names: AbstractSet[str]) -> Iterator[tuple[str, str]]:
    """Yield (key, sentence) for what is wrong with one limit, given the names before it."""
    if limit.name in names:
        yield "name", f"a second limit named {limit.name}: each needs a name of its own"
    if limit.by == "route" and not limit.routes:
        yield "by", "`by: route` needs the paths that are counted, in `for`"
    burst = limit.burst_calls
    if limit.cost > burst:
        yield "cost", f"no request could pass: it costs {limit.cost}, and the burst is {burst}"
    for route, cost in limit.costs:
        if cost > burst:
            sentence = f"no request could pass: it costs {cost}, and the burst is {burst}"
            yield f"costs.{route}", sentence
