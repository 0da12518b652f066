"""Figures that other rooms keep, read when somebody asks."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from mainstay.core.clock import Clock
from mainstay.core.errors import ConfigInvalid
from mainstay.service.inbound.admission.stats import AdmissionStats
from mainstay.service.inbound.health.document import Outcome
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.service.outbound.stats import Stats
from mainstay.telemetry.metrics.counting.growth import Growth
from mainstay.telemetry.metrics.counting.requests import active_requests
from mainstay.telemetry.metrics.registry import Reading, Registry, Source
from mainstay.telemetry.metrics.table import counter, family

_PROC_SELF = Path("/proc/self")
_RESIDENT = 1


class Admits(Protocol):
    """What tells how admission stands."""

    def stats(self) -> AdmissionStats:
        """Return a snapshot."""
        ...


class Checks(Protocol):
    """What tells how checks stand."""

    def known(self) -> Mapping[str, Outcome]:
        """Return what each check last found, without running any."""
        ...


def read_policies(registry: Registry, policies: Callable[[], Iterable[DependencyPolicy]]) -> Source:
    """Return what tells how the policies of dependencies stand, and their balancers.

    Args:
        registry: Where the calls of endpoints are counted.
        policies: Returns those there are.
    """
    calls = Growth(counter(registry, "mainstay_endpoint_calls"))

    def source() -> Iterable[Reading]:
        for policy in policies():
            yield from _of_stats(policy.stats())
            yield from _of_endpoints(policy, calls)

    return source


def _of_stats(stats: Stats) -> Iterable[Reading]:
    name = stats.name
    if stats.state is not None:
        for state in State:
            yield _CIRCUIT_STATE, (name, state.value), (float(stats.state == state.value),)
    if stats.mode is not None:
        yield _CIRCUIT_MODE, (name, stats.mode), (1.0,)
    for told, value in (
        (_BULKHEAD_IN_FLIGHT, stats.in_flight),
        (_BULKHEAD_WAITING, stats.waiting),
        (_BUDGET_LEFT, stats.budget_left),
        (_ATTEMPT_TIMEOUT, stats.attempt_timeout_s),
    ):
        if value is not None:
            yield told, (name,), (value,)


def _of_endpoints(policy: DependencyPolicy, calls: Growth) -> Iterable[Reading]:
    try:
        balancer = policy.balancer
    except ConfigInvalid:
        # Nobody said where it is, and so nobody has called it.
        return
    if balancer is None:
        return
    for one in balancer.endpoints():
        labels = policy.name, str(one.endpoint)
        calls.seen(labels, one.calls)
        yield _ENDPOINT_IN_FLIGHT, labels, (one.active,)
        yield _ENDPOINT_EJECTED, labels, (float(one.returns_in_s is not None),)


def read_admission(registry: Registry, admission: Admits) -> Source:
    """Return what tells how admission stands.

    Args:
        registry: Where refusals are counted.
        admission: That of the service.
    """
    refused = Growth(counter(registry, "mainstay_admission_refused"))

    def source() -> Iterable[Reading]:
        stats = admission.stats()
        for priority, count in enumerate(stats.refused):
            refused.seen((str(priority),), count)
        return (
            (_LIMIT, (), (stats.limit,)),
            (_IN_FLIGHT, (), (stats.in_flight,)),
            (_WAITING, (), (stats.waiting,)),
            (_LATENCY, (), (stats.latency_s,)),
            (_BASELINE, (), (stats.baseline_s,)),
            (_LOOP_LAG, (), (stats.lag_s,)),
            (_OVERLOADED, (), (float(stats.overloaded),)),
        )

    return source


def read_drain(registry: Registry, drain: Drain) -> None:
    """Have what is in flight told, and whether the process is on its way out."""
    # Copies, each in one step of C: requests come and go meanwhile.
    registry.read(active_requests(lambda: list(drain.flights)))

    def source() -> Iterable[Reading]:
        return (
            (_WEBSOCKETS, (), (len(drain.sockets),)),
            (_DRAINING, (), (float(drain.stopping),)),
        )

    registry.read(source)


def read_checks(checks: Checks) -> Source:
    """Return what tells what the checks of health last found."""

    def source() -> Iterable[Reading]:
        for name, outcome in checks.known().items():
            critical = "true" if outcome.critical else "false"
            yield _CHECK_FAILING, (name, critical), (float(outcome.failing),)
            if outcome.took_s is not None:
                yield _CHECK_DURATION, (name,), (outcome.took_s,)

    return source


def read_lines(registry: Registry, missing: Callable[[], Mapping[str, int]]) -> Source:
    """Return what counts the lines of the log that nobody will read.

    Args:
        registry: Where they are counted.
        missing: Returns how many so far, by the reason.
    """
    dropped = Growth(counter(registry, "mainstay_telemetry_dropped"))

    def source() -> Iterable[Reading]:
        for reason, lines in missing().items():
            dropped.seen(("lines", reason), lines)
        return ()

    return source


def read_process(clock: Clock, proc_self: Path = _PROC_SELF) -> Source:
    """Return what tells what this process uses. Nothing but Linux tells memory and files.

    Args:
        clock: By which the start is told.
        proc_self: Where the kernel tells about this process.
    """
    # As good as the start of the process, and known everywhere.
    started_s = clock.wall_s()

    def source() -> Iterable[Reading]:
        times = os.times()
        yield _CPU, (), (times.user + times.system,)
        yield _STARTED, (), (started_s,)
        try:
            pages = int((proc_self / "statm").read_text("ascii").split()[_RESIDENT])
            files = len(os.listdir(proc_self / "fd"))  # noqa: PTH208  The number alone.
        except (OSError, ValueError, IndexError):
            return
        yield _MEMORY, (), (pages * os.sysconf("SC_PAGE_SIZE"),)
        yield _FILES, (), (files,)

    return source


def read_target(service: str, version: str, instance: str | None, environment: str) -> Source:
    """Return what tells which service this is.

    Args:
        service: Its name.
        version: What runs.
        instance: The replica's name; None where nobody said.
        environment: As ``production``.
    """
    told = (_TARGET, (service, version, instance or "", environment), (1.0,))
    return lambda: (told,)


_CIRCUIT_STATE = family("mainstay_circuit_state")
_CIRCUIT_MODE = family("mainstay_circuit_mode")
_BULKHEAD_IN_FLIGHT = family("mainstay_bulkhead_in_flight")
_BULKHEAD_WAITING = family("mainstay_bulkhead_waiting")
_BUDGET_LEFT = family("mainstay_budget_left")
_ATTEMPT_TIMEOUT = family("mainstay_attempt_timeout")
_ENDPOINT_IN_FLIGHT = family("mainstay_endpoint_in_flight")
_ENDPOINT_EJECTED = family("mainstay_endpoint_ejected")
_LIMIT = family("mainstay_admission_limit")
_IN_FLIGHT = family("mainstay_admission_in_flight")
_WAITING = family("mainstay_admission_waiting")
_LATENCY = family("mainstay_admission_latency")
_BASELINE = family("mainstay_admission_baseline")
_LOOP_LAG = family("mainstay_admission_loop_lag")
_OVERLOADED = family("mainstay_overloaded")
_WEBSOCKETS = family("mainstay_websockets_open")
_DRAINING = family("mainstay_draining")
_CHECK_FAILING = family("mainstay_check_failing")
_CHECK_DURATION = family("mainstay_check_duration")
_CPU = family("process_cpu")
_STARTED = family("process_start_time")
_MEMORY = family("process_resident_memory")
_FILES = family("process_open_fds")
_TARGET = family("target")
