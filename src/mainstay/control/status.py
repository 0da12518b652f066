"""What runs, as `mainstay status` shows it: processes from the engine, traffic from the edge."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the edge measured.

    Attributes:
        requests: Since the proxy began to count; its own restart sets it back.
        errors: Answers of 5xx among them.
        per_s: Requests a second over the last sampling interval.
        errors_per_s: Errors a second over the same.
        p50_ms: Median of the last interval with traffic, or None.
        p99_ms: 99th percentile likewise, or None.
    """

    requests: int = 0
    errors: int = 0
    per_s: float = 0.0
    errors_per_s: float = 0.0
    p50_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    """One replica.

    ``state`` is starting, ready, unhealthy (fails the edge's checks), ejected (fails requests) or
    leaving. ``age_s`` counts from its start or, for an adopted one, from its adoption.
    """

    name: str
    state: str
    pid: int | None
    port: int
    version: str
    age_s: float
    memory_bytes: int | None
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service. ``state`` is ok, changing (on its way to what is wanted) or crash_loop."""

    name: str
    state: str
    version: str
    url: str | None
    internal_url: str | None
    wanted: int
    ready: int
    restarts: int
    weights: tuple[tuple[str, int], ...]
    last_end: str | None
    traffic: Traffic
    replicas: tuple[ReplicaStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStatus:
    """The daemon or the proxy."""

    pid: int
    memory_bytes: int | None
    cpu_s: float | None
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """Everything."""

    system: str
    env: str | None
    daemon: ProcessStatus
    proxy: ProcessStatus | None
    services: tuple[ServiceStatus, ...]

    @property
    def settled(self) -> bool:
        """Whether every service is as it is wanted."""
        return all(service.state == "ok" for service in self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The edge's counters of one service at one moment."""

    at_s: float
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None


def traffic(samples: Iterable[Sample]) -> Traffic:
    """Return the traffic from the last two samples, the older one first.

    A counter that went back (the proxy was started again) makes its interval count from zero.
    """
    last_two = list(samples)[-2:]
    if not last_two:
        return Traffic()
    newest = last_two[-1]
    oldest = last_two[0]
    passed_s = newest.at_s - oldest.at_s
    if passed_s <= 0:
        return Traffic(requests=newest.requests, errors=newest.errors)
    again = newest.requests < oldest.requests
    requests = newest.requests - (0 if again else oldest.requests)
    errors = newest.errors - (0 if again else oldest.errors)
    return Traffic(
        requests=newest.requests,
        errors=newest.errors,
        per_s=requests / passed_s,
        errors_per_s=max(errors, 0) / passed_s,
        p50_ms=newest.p50_ms,
        p99_ms=newest.p99_ms,
    )
