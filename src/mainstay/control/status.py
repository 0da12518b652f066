"""What runs, as `mainstay status` shows it: processes from the engine, traffic from the edge."""

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
    leaving. ``age_s`` counts from its start or, for an adopted one, from its adoption. At
    ``probe_port`` it answers probes beside its work; None where it does not.
    """

    name: str
    state: str
    pid: int | None
    port: int
    version: str
    age_s: float
    memory_bytes: int | None
    requests: int
    probe_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service.

    ``state`` is ok, changing (on its way to what is wanted), unhealthy (as wanted, but a replica
    fails its checks or is ejected) or crash_loop.
    """

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
    """Everything. ``edge_trouble`` says why the proxy takes no change, or does not answer."""

    system: str
    env: str | None
    daemon: ProcessStatus
    proxy: ProcessStatus | None
    edge_trouble: str | None
    services: tuple[ServiceStatus, ...]

    @property
    def settled(self) -> bool:
        """Whether everything is as it is wanted."""
        fine = all(service.state == "ok" for service in self.services)
        return fine and self.edge_trouble is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The edge's counters of one service at one moment."""

    at_s: float
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None


RATE_OVER_S = 1.0
"""Rates are of at least this long, however often somebody looks."""

SAMPLES_MAX = 4
"""Samples that ``add`` keeps: enough for one that is ``RATE_OVER_S`` older than the newest."""


def add(samples: tuple[Sample, ...], newest: Sample) -> tuple[Sample, ...]:
    """Return ``samples`` with one more; one taken shortly after another takes its place."""
    close = len(samples) > 1 and newest.at_s - samples[-2].at_s < RATE_OVER_S
    kept = samples[:-1] if close else samples
    return (*kept, newest)[-SAMPLES_MAX:]


def traffic(samples: tuple[Sample, ...]) -> Traffic:
    """Return the traffic between the newest sample and the last one that is old enough.

    A counter that went back (the proxy was started again) makes its interval count from zero.
    """
    if not samples:
        return Traffic()
    newest = samples[-1]
    older = [one for one in samples if newest.at_s - one.at_s >= RATE_OVER_S] or [samples[0]]
    base = older[-1]
    passed_s = newest.at_s - base.at_s
    if passed_s <= 0:
        return Traffic(requests=newest.requests, errors=newest.errors)
    again = newest.requests < base.requests
    requests = newest.requests - (0 if again else base.requests)
    errors = newest.errors - (0 if again else base.errors)
    return Traffic(
        requests=newest.requests,
        errors=newest.errors,
        per_s=requests / passed_s,
        errors_per_s=max(errors, 0) / passed_s,
        # Without requests the proxy goes on telling the latencies of its last ones.
        p50_ms=newest.p50_ms if requests else None,
        p99_ms=newest.p99_ms if requests else None,
    )
