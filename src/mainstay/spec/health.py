"""``inbound.health:`` what is checked, how often, and how many answers change a mind."""

from dataclasses import dataclass

from mainstay.spec.edge import URL_PATH
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Flag, ListOf, MapOf, Section, Text, Whole
from mainstay.spec.kinds.quantities import duration, percentage

CHECK_NAME = Text(
    what="a check's name: letters, digits, dots, dashes and underscores, at most 64",
    pattern=r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,63})",
)
GROUP_NAME = Text(
    what="a group's name: lower-case letters, digits and dashes, at most 40",
    pattern=r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?",
)
_ANSWERED = frozenset({"", "/live", "/ready", "/startup"})
GROUPS_MAX = 32
MEMBERS_MAX = 64

INTERVAL = duration("10s", minimum_s=0.1, maximum_s=3600)
TIMES = Whole(minimum=1, maximum=100)
_SUCCESSES = (
    "Good answers in a row that end a failure. One: what answers is back, and the breaker before "
    "its calls has its own mind."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChecks:
    """Checks of other services, and of your own functions."""

    interval_s: float = key(
        "interval",
        INTERVAL,
        default=10.0,
        doc="From one check to the next. Best practices, application health: 10 s.",
    )
    failures: int = key(
        "failures",
        TIMES,
        default=3,
        doc="Failures in a row until it counts. Best practices, application health: 3.",
    )
    successes: int = key("successes", TIMES, default=1, doc=_SUCCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseChecks:
    """Checks of databases, queues and whatever else has a URL that is not HTTP."""

    interval_s: float = key(
        "interval",
        INTERVAL,
        default=30.0,
        doc="From one check to the next. Best practices, database connectivity: 30 s.",
    )
    timeout_s: float = key(
        "timeout",
        duration("5s", maximum_s=60),
        default=5.0,
        doc="Of one check. Best practices, database connectivity: 5 s.",
    )
    failures: int = key(
        "failures",
        TIMES,
        default=2,
        doc="Failures in a row until it counts. Best practices, database connectivity: 2.",
    )
    successes: int = key("successes", TIMES, default=1, doc=_SUCCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheChecks:
    """Checks of Valkey, Redis and memcached."""

    interval_s: float = key(
        "interval",
        INTERVAL,
        default=15.0,
        doc="From one check to the next. Best practices, cache availability: 15 s.",
    )
    timeout_s: float = key(
        "timeout",
        duration("1s", maximum_s=60),
        default=1.0,
        doc="Of one check. Best practices, cache availability: 1 s.",
    )
    failures: int = key(
        "failures",
        TIMES,
        default=5,
        doc="Failures in a row until it counts. Best practices, cache availability: 5.",
    )
    successes: int = key("successes", TIMES, default=1, doc=_SUCCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the health endpoints look at, and what they say."""

    path: str = key("path", URL_PATH, default="/health", doc="Where the endpoints are mounted.")
    refresh: bool = key(
        "refresh",
        Flag(),
        default=True,
        doc="Checks run in the background, from the first probe on, so that probes wait for none. "
        "Without it a probe runs what is older than `cache`.",
    )
    timeout_s: float = key(
        "timeout",
        duration("2s", maximum_s=60),
        default=2.0,
        doc="Of one check that has no timeout of its own. Best practices, application health: 2 s.",
    )
    cache_s: float = key(
        "cache",
        duration("1s", minimum_s=0.0, maximum_s=600),
        default=1.0,
        doc="An answer that a probe had to wait for is used again for this long, so that probes "
        "can't overload a dependency.",
    )
    disk_free_min: float = key(
        "disk_free_min",
        percentage("10%"),
        default=0.1,
        doc="With less free space the disk check warns; it looks every 60 s. Best practices: 10 %.",
    )
    memory_max: float = key(
        "memory_max",
        percentage("90%"),
        default=0.9,
        doc="Above this share of memory_max (or of the machine) the check warns; it looks every "
        "10 s. Best practices: 90 %.",
    )
    services: ServiceChecks = key(
        "services",
        Section(ServiceChecks, shorthand="interval"),
        default=ServiceChecks(),
        doc="Checks of other services, and of your own functions.",
    )
    databases: DatabaseChecks = key(
        "databases",
        Section(DatabaseChecks, shorthand="interval"),
        default=DatabaseChecks(),
        doc="Checks of databases, queues and whatever else has a URL that is not HTTP.",
    )
    caches: CacheChecks = key(
        "caches",
        Section(CacheChecks, shorthand="interval"),
        default=CacheChecks(),
        doc="Checks of Valkey, Redis and memcached.",
    )
    groups: tuple[tuple[str, tuple[str, ...]], ...] = key(
        "groups",
        MapOf(GROUP_NAME, ListOf(CHECK_NAME, maximum=MEMBERS_MAX), maximum=GROUPS_MAX),
        default=(),
        doc="Checks that are asked together below `path` + `/group/NAME`; all of a group count as "
        "critical there. Names of dependencies, `disk`, `memory`, and of your own checks.",
    )
    description: str | None = key(
        "description",
        Text(what="a sentence"),
        default=None,
        doc="What the service is, for people who read its health.",
    )
    notes: tuple[str, ...] = key(
        "notes",
        ListOf(Text(what="a sentence"), maximum=20),
        default=(),
        doc="Notes for people who read its health.",
    )
    links: tuple[tuple[str, str], ...] = key(
        "links",
        MapOf(
            Text(what="a link's relation, such as about", pattern=r"[A-Za-z0-9:/.#_-]{1,200}"),
            Text(what="where a link leads, such as https://wiki.example", pattern=r"[!-~]{1,2000}"),
            maximum=20,
        ),
        default=(),
        doc="Where more is told: relation and URL, such as the runbook's.",
    )

    def answers(self, path: str) -> bool:
        """Return whether ``path`` is surely an endpoint of these in a wrapped app, and not its own.

        A group that only a check names is not known here.

        Args:
            path: Of a request; with or without its query.
        """
        root = self.path.rstrip("/")
        asked = path.partition("?")[0]
        groups = {f"/group/{name}" for name, _ in self.groups}
        return asked.startswith("/") and any(asked == root + one for one in _ANSWERED | groups)
