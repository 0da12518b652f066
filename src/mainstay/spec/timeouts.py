"""How long a call may take: what is declared, and the defaults by kind of dependency.

A default comes from the starter pack ("Timeout": ``by_service``, ``default``); that of another
service of the system is this project's own, from the example of its design. A default never goes
beyond the deadline of the request that makes the call.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mainstay.spec.dependency import Dependency, Retry
from mainstay.spec.kinds.secret import reveal
from mainstay.spec.kinds.units import duration_text

AUTO = "auto"

_SCHEMES = {
    "http": "api", "https": "api", "grpc": "api", "grpcs": "api",
    "postgresql": "database", "postgres": "database", "mysql": "database", "mariadb": "database",
    "mongodb": "database", "sqlite": "database", "mssql": "database", "oracle": "database",
    "redis": "cache", "rediss": "cache", "valkey": "cache", "valkeys": "cache",
    "memcached": "cache",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedTimeouts:
    """The timeouts of one dependency as they hold; all in seconds.

    Attributes:
        connect_s: To open a connection.
        read_s: Between two reads; for a database, of one query.
        write_s: Of one write.
        attempt_s: Of one attempt, ``"auto"``, or None: only the total bounds it.
        total_s: Of the whole call, retries and pauses included.
    """

    connect_s: float
    read_s: float
    write_s: float
    attempt_s: float | str | None
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Defaults:
    connect_s: float
    read_s: float
    write_s: float
    total_s: float


_DEFAULTS = {
    # Another service of the system: near, and the caller's own deadline is 5 s.
    "service": _Defaults(connect_s=0.5, read_s=2.0, write_s=2.0, total_s=2.0),
    # Starter pack, by_service: external_api connect 5s, read 60s; write of its default.
    "api": _Defaults(connect_s=5.0, read_s=60.0, write_s=10.0, total_s=60.0),
    # Starter pack, by_service: database connect 3s, query 10s.
    "database": _Defaults(connect_s=3.0, read_s=10.0, write_s=10.0, total_s=10.0),
    # Starter pack, by_service: cache connect 1s, read 2s.
    "cache": _Defaults(connect_s=1.0, read_s=2.0, write_s=2.0, total_s=2.0),
    # Starter pack, default: connect 5s, read 30s, write 10s, total 45s.
    "other": _Defaults(connect_s=5.0, read_s=30.0, write_s=10.0, total_s=45.0),
}


def kind_of(dependency: Dependency) -> str:
    """Return service, api, database, cache or other, by what the dependency names."""
    if dependency.service is not None:
        return "service"
    scheme = reveal(dependency.url).partition("://")[0] if dependency.url is not None else ""
    # postgresql+asyncpg:// is PostgreSQL.
    return _SCHEMES.get(scheme.partition("+")[0], "other")


def resolve_timeouts(
    dependency: Dependency, *, deadline_s: float | None = None
) -> ResolvedTimeouts:
    """Return the timeouts that hold for a dependency.

    What is declared stays. The total, where it is not declared, is what attempts and pauses can
    add up to if the attempt is, and else the default of the dependency's kind; no default is
    longer than the deadline, and none than the total.

    Args:
        dependency: Which.
        deadline_s: ``inbound.deadline`` of the service that calls; None for a caller without one.
    """
    declared, default = dependency.timeout, _DEFAULTS[kind_of(dependency)]
    total_s = declared.total_s
    if total_s is None:
        total_s = derived_total_s(dependency) or default.total_s
        total_s = total_s if deadline_s is None else min(total_s, deadline_s)
    return ResolvedTimeouts(
        connect_s=declared.connect_s or min(default.connect_s, total_s),
        read_s=declared.read_s or min(default.read_s, total_s),
        write_s=declared.write_s or min(default.write_s, total_s),
        attempt_s=declared.attempt_s,
        total_s=total_s,
    )


def pauses_s(retry: Retry) -> float:
    """Return the longest that all pauses of a call can take together, without jitter's luck."""
    return sum(
        min(retry.backoff.high_s, retry.backoff.low_s * 2.0**failures)
        for failures in range(retry.attempts - 1)
    )


def derived_total_s(dependency: Dependency) -> float | None:
    """Return attempts × attempt timeout + pauses in seconds, or None without such a timeout."""
    attempt_s = dependency.timeout.attempt_s
    if attempt_s is None or isinstance(attempt_s, str):
        return None
    if dependency.retry is None:
        return attempt_s
    return dependency.retry.attempts * attempt_s + pauses_s(dependency.retry)


def derived_text(dependency: Dependency) -> str:
    """Return the arithmetic of ``derived_total_s`` for people: ``3 x 800ms + 150ms = 2.55s``."""
    attempt_s = dependency.timeout.attempt_s
    total_s = derived_total_s(dependency)
    assert isinstance(attempt_s, float), "asked only where there is a total"
    assert total_s is not None, "asked only where there is a total"
    if dependency.retry is None or dependency.retry.attempts == 1:
        return f"1 x {duration_text(attempt_s)}"
    pauses = duration_text(pauses_s(dependency.retry))
    attempts = f"{dependency.retry.attempts} x {duration_text(attempt_s)}"
    return f"{attempts} + {pauses} = {duration_text(total_s)}"


def default_rows() -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Yield each kind of dependency with its default connect, read, write and total in seconds."""
    for kind, one in _DEFAULTS.items():
        yield kind, (one.connect_s, one.read_s, one.write_s, one.total_s)
