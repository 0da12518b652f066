"""The checks that every service has: its disk, its memory, and each declared dependency."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from mainstay.service.address import address_of
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import VALKEY, Target, ask_http, connect, target_of
from mainstay.service.inbound.health.sql import SCHEMES as SQL
from mainstay.service.inbound.health.sql import ask_database
from mainstay.service.inbound.health.valkey import login_of, ping
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.health import CacheChecks, DatabaseChecks, Health, ServiceChecks
from mainstay.spec.kinds.secret import reveal

MEMORY_MAX_VARIABLE = "MAINSTAY_MEMORY_MAX"
REPLICA_VARIABLE = "MAINSTAY_REPLICA"

DISK_INTERVAL_S = 60.0
DISK_TIMEOUT_S = 1.0
MEMORY_INTERVAL_S = 10.0
"""Best practices, health checks: disk every 60 s within 1 s, memory every 10 s."""


def builtin_checks(declaration: Declaration, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield the checks of a service, in the order in which they are shown.

    A dependency whose check is ``off``, or whose URL names no host and port that could be
    reached, has none.
    """
    health = declaration.inbound.health
    replica = environ.get(REPLICA_VARIABLE)
    yield Check(
        name="disk",
        run=partial(check_disk, health.disk_free_min),
        critical=False,
        timeout_s=DISK_TIMEOUT_S,
        interval_s=DISK_INTERVAL_S,
        component_type="system",
        component_id=replica,
    )
    yield Check(
        name="memory",
        run=partial(check_memory, memory_max_bytes(declaration, environ), health.memory_max),
        critical=False,
        timeout_s=health.timeout_s,
        interval_s=MEMORY_INTERVAL_S,
        component_type="system",
        component_id=replica,
    )
    for name, dependency in declaration.dependencies:
        target = target_of(name, dependency, environ)
        if dependency.check is not None and target is not None:
            url = reveal(address_of(name, dependency, environ) or "")
            yield _dependency_check(name, dependency, target, url, health)


def _dependency_check(
    name: str, dependency: Dependency, target: Target, url: str, health: Health
) -> Check:
    declared = dependency.check
    assert declared is not None
    usual: ServiceChecks | DatabaseChecks | CacheChecks = health.databases
    timeout_s = health.databases.timeout_s
    if target.is_http:
        usual, timeout_s = health.services, health.timeout_s
    elif target.is_cache:
        usual, timeout_s = health.caches, health.caches.timeout_s
    if declared.timeout_s is not None:
        timeout_s = declared.timeout_s
    return Check(
        name=name,
        run=_question(target, url, timeout_s),
        critical=dependency.criticality == "required",
        timeout_s=timeout_s,
        interval_s=usual.interval_s if declared.interval_s is None else declared.interval_s,
        failures=usual.failures if declared.failures is None else declared.failures,
        successes=usual.successes if declared.successes is None else declared.successes,
        component_type="component" if target.is_http else "datastore",
        component_id=dependency.service,
        affects=declared.affects,
    )


def _question(target: Target, url: str, timeout_s: float) -> Callable[[], Finding]:
    """Return what asks a dependency, by what its URL says that it is."""
    if target.path is not None:
        return partial(ask_http, target, timeout_s)
    if target.scheme in VALKEY:
        return partial(ping, target, login_of(url), timeout_s)
    if target.scheme in SQL:
        return partial(ask_database, target, url, timeout_s)
    return partial(connect, target, timeout_s)


def check_disk(free_min: float) -> Finding:
    """Look at the file system of the working folder; warn below ``free_min``, a share."""
    room = os.statvfs(".")
    free = room.f_bavail / room.f_blocks if room.f_blocks else 1.0
    return Finding(
        status=Status.WARN if free < free_min else Status.PASS,
        observed=round(free * 100, 1),
        unit="percent free",
        output="little room on the disk" if free < free_min else None,
    )


def memory_max_bytes(declaration: Declaration, environ: Mapping[str, str]) -> int | None:
    """Return the bound of the process's memory: the engine's word, else the declared one."""
    said = environ.get(MEMORY_MAX_VARIABLE, "")
    return int(said) if said.isdecimal() else declaration.run.memory_max_bytes


def check_memory(max_bytes: int | None, share_max: float) -> Finding:
    """Look at the memory of this process, or of the machine where the process has no bound.

    Args:
        max_bytes: The bound of this process; None means that it has none.
        share_max: Above this share of the bound (or of the machine) it warns.
    """
    used = machine_used() if max_bytes is None else resident_bytes() / max_bytes
    if used is None:
        return Finding(status=Status.PASS, output="this system does not tell")
    return Finding(
        status=Status.WARN if used > share_max else Status.PASS,
        observed=round(used * 100, 1),
        unit="percent of the machine" if max_bytes is None else "percent of memory_max",
        output="little memory left" if used > share_max else None,
    )


def resident_bytes() -> int:
    """Return the resident memory of this process; where there is no /proc, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        import resource  # noqa: PLC0415  Only where /proc is missing.

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def machine_used() -> float | None:
    """Return the share of the machine's memory that is in use, or None where nobody tells."""
    try:
        text = Path("/proc/meminfo").read_text("ascii")
    except OSError:
        return None
    return used_of(text)


def used_of(meminfo: str) -> float | None:
    """Return the share in use that the text of /proc/meminfo tells, or None."""
    figures = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        amount = rest.split()
        if amount and amount[0].isdecimal():
            figures[name] = int(amount[0])
    total, available = figures.get("MemTotal", 0), figures.get("MemAvailable")
    if total == 0 or available is None:
        return None
    return 1 - available / total
