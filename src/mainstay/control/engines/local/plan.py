"""What to start and what to stop. No clock, no process, no socket: the executor is engine.py.

A crash, a change of scale, a rolling restart and a changed declaration are one thing here: the
service wants N replicas of one revision, and some replicas of some revisions are there.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from mainstay.spec.run import Restart

STABLE_S = 5.0
"""A replica that served for less than this had a failed start, however it looked."""

SURGE = 1
"""Replicas above the wanted number while one revision replaces another."""

FAILURES_MAX = 100
"""Bound of the remembered failures of a service; more are the same verdict."""


class Phase(enum.Enum):
    """Where a replica is in its life."""

    STARTING = "starting"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica, as observed.

    Attributes:
        name: Unique in the system, ``catalog-3``.
        number: The 3 of it; numbers of a service are unique and used again.
        revision: What it was started from.
        version: Of the service.
        since_s: Monotonic time at which the phase began.
        unhealthy_since_s: Monotonic time since which the edge finds it unhealthy, or None.
        retire: Whether it is to be replaced although its revision is the wanted one.
    """

    name: str
    number: int
    revision: str
    version: str
    phase: Phase
    since_s: float
    unhealthy_since_s: float | None = None
    retire: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the declaration, and ``scale`` and ``restart`` since, ask of one service.

    ``kept_versions`` are other versions that share the traffic: their replicas are left as they
    are, neither replaced nor counted, and one that dies is not started again, since its code may
    be gone. With ``recreate`` a replica is gone before its successor is started: for programs that
    must have what they stand on (a folder, a lock) for themselves.
    """

    service: str
    revision: str
    replicas: int
    start_timeout_s: float
    hang_timeout_s: float
    restart: Restart
    kept_versions: frozenset[str] = frozenset()
    recreate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a replica of the wanted revision under this number."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Take a replica out of the edge, then end it."""

    name: str
    reason: str


Action = Start | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now, and when to look again if nothing happens before.

    Attributes:
        actions: In order; each is safe to do before the others have finished.
        wake_s: Monotonic time of the next look, or None where only an event can change anything.
    """

    actions: tuple[Action, ...]
    wake_s: float | None


def plan(
    observed: Sequence[Replica], wanted: Wanted, failures: Sequence[float], now_s: float
) -> Plan:
    """Return what to do about one service.

    Args:
        observed: Every replica of the service that is still a process.
        wanted: What is asked for.
        failures: Monotonic times of failed starts since the last stable replica, oldest first.
        now_s: Monotonic time.
    """
    stops = _too_late(observed, wanted, now_s)
    gone = {stop.name for stop in stops}
    staying = [
        one
        for one in observed
        if one.phase is not Phase.LEAVING and one.name not in gone and not kept(one, wanted)
    ]
    hung = {one.name for one in staying if _hangs(one, wanted, now_s)}
    current = [
        one
        for one in staying
        if one.revision == wanted.revision and not one.retire and one.name not in hung
    ]
    old = [one for one in staying if one not in current]
    serving_old = [one for one in old if one.phase is Phase.READY and one.name not in hung]
    if wanted.recreate:
        processes = [one for one in observed if not kept(one, wanted)]
        is_changing = len(processes) > len(staying) or _any(current, Phase.STARTING)
        stops += _room(current, old, hung, wanted.replicas, is_changing=is_changing)
        missing = max(0, wanted.replicas - len(processes))
    else:
        stops += _surplus(current, old, hung, wanted.replicas)
        missing = _missing(len(current), len(serving_old), wanted.replicas)
    start_at_s = next_start_s(wanted.restart, failures)
    if failures:
        # A revision that fails is tried with one replica at a time.
        missing = min(missing, 0 if _any(current, Phase.STARTING) else 1)
    held_back = missing > 0 and now_s < start_at_s
    numbers = [] if held_back else _free_numbers(observed, missing)
    wakes = _bounds(staying, wanted, now_s)
    if held_back:
        wakes.append(start_at_s)
    return Plan(
        actions=(*stops, *(Start(number=number) for number in numbers)),
        wake_s=min(wakes, default=None),
    )


def kept(one: Replica, wanted: Wanted) -> bool:
    """Return whether a replica is of another version that shares the traffic."""
    return one.revision != wanted.revision and one.version in wanted.kept_versions


def next_start_s(restart: Restart, failures: Sequence[float]) -> float:
    """Return the monotonic time before which nothing is started; 0 where nothing has failed.

    The pause doubles from ``backoff.low_s`` to ``backoff.high_s`` with each failure; in a crash
    loop it is the longest one.
    """
    if not failures:
        return 0.0
    if in_crash_loop(restart, failures, failures[-1]):
        return failures[-1] + restart.backoff.high_s
    # Bounded exponent: more doublings than this reach any declared maximum.
    pause_s = restart.backoff.low_s * 2.0 ** min(len(failures) - 1, 32)
    return failures[-1] + min(pause_s, restart.backoff.high_s)


def in_crash_loop(restart: Restart, failures: Sequence[float], now_s: float) -> bool:
    """Return whether ``restart.crashes`` starts failed within ``restart.window_s`` of now."""
    recent = [at_s for at_s in failures if now_s - at_s <= restart.window_s]
    return len(recent) >= restart.crashes


def after_end(
    failures: Sequence[float], *, served_s: float | None, now_s: float
) -> tuple[float, ...]:
    """Return the failures after a replica ended that nobody had asked to end.

    Args:
        failures: Those before.
        served_s: How long it had been ready; None if it never was.
        now_s: Monotonic time.
    """
    if served_s is not None and served_s >= STABLE_S:
        return tuple(failures)
    return (*failures, now_s)[-FAILURES_MAX:]


def stable_from_s(observed: Sequence[Replica], wanted: Wanted) -> float | None:
    """Return the monotonic time at which a wanted replica is stable, or None while none serves."""
    ready = [
        one.since_s
        for one in observed
        if one.phase is Phase.READY and one.revision == wanted.revision
    ]
    return min(ready) + STABLE_S if ready else None


def _too_late(observed: Sequence[Replica], wanted: Wanted, now_s: float) -> list[Stop]:
    """Return the stops of replicas that did not get ready in time."""
    return [
        Stop(name=one.name, reason="start_timeout")
        for one in observed
        if one.phase is Phase.STARTING and now_s >= one.since_s + wanted.start_timeout_s
    ]


def _hangs(one: Replica, wanted: Wanted, now_s: float) -> bool:
    """Return whether a replica has been unhealthy for so long that it is to be replaced.

    It gets no traffic, so there is no hurry: it goes when its successor serves. If it recovers
    before that, it stays.
    """
    return (
        one.phase is Phase.READY
        and one.unhealthy_since_s is not None
        and now_s >= one.unhealthy_since_s + wanted.hang_timeout_s
    )


def _bounds(staying: Sequence[Replica], wanted: Wanted, now_s: float) -> list[float]:
    """Return the future times at which a replica that stays would be too late, or hang."""
    times = [one.since_s + wanted.start_timeout_s for one in staying if one.phase is Phase.STARTING]
    times += [
        one.unhealthy_since_s + wanted.hang_timeout_s
        for one in staying
        if one.phase is Phase.READY and one.unhealthy_since_s is not None
    ]
    return [at_s for at_s in times if at_s > now_s]


def _surplus(current: list[Replica], old: list[Replica], hung: set[str], wanted: int) -> list[Stop]:
    """Return the stops that are safe now: what serves never falls below the wanted number."""
    stops = []
    ready = [one for one in (*current, *old) if one.phase is Phase.READY and one.name not in hung]
    spare = len(ready) - wanted
    for one in sorted(old, key=lambda one: (one.phase is Phase.READY, one.number)):
        if one.name in hung:
            if spare >= 0:
                stops.append(Stop(name=one.name, reason="unhealthy"))
        elif one.phase is Phase.STARTING:
            # An old revision that does not serve yet is no loss.
            stops.append(Stop(name=one.name, reason="replaced"))
        elif spare > 0:
            stops.append(Stop(name=one.name, reason="replaced"))
            spare -= 1
    surplus = len(current) - wanted
    # The ones that don't serve yet first, then the youngest number.
    for one in sorted(current, key=lambda one: (one.phase is Phase.READY, -one.number)):
        if surplus <= 0:
            break
        stops.append(Stop(name=one.name, reason="scaled"))
        surplus -= 1
    return stops


def _room(
    current: list[Replica], old: list[Replica], hung: set[str], wanted: int, *, is_changing: bool
) -> list[Stop]:
    """Return the stops that make room for successors that can't run beside them: one at a time.

    Args:
        current: Those that are as they are wanted.
        old: The others that stay.
        hung: Names of those that hang.
        wanted: How many are.
        is_changing: Whether one is on its way out or in; the next goes when it is through.
    """
    surplus = len(current) + len(old) - wanted
    going = sorted(
        old, key=lambda one: (one.name not in hung, one.phase is Phase.READY, one.number)
    )
    going += sorted(current, key=lambda one: (one.phase is Phase.READY, -one.number))
    replaceable = bool(old) and not is_changing and surplus >= 0
    return [
        Stop(name=one.name, reason=_why(one, old, hung))
        for one in going[: max(surplus, int(replaceable))]
    ]


def _why(one: Replica, old: list[Replica], hung: set[str]) -> str:
    if one.name in hung:
        return "unhealthy"
    return "replaced" if one in old else "scaled"


def _missing(current: int, serving_old: int, wanted: int) -> int:
    """Return how many replicas of the wanted revision may be started now."""
    short = max(0, wanted - current)
    if serving_old == 0:
        return short
    # While old ones serve, the new ones come within the surge; where old ones have died, as many
    # more come at once, so that the service gets back to its number.
    return max(0, min(short, wanted + SURGE - current - serving_old))


def _any(replicas: Sequence[Replica], phase: Phase) -> bool:
    return any(one.phase is phase for one in replicas)


def _free_numbers(observed: Sequence[Replica], count: int) -> list[int]:
    """Return the ``count`` lowest numbers that no process of the service has."""
    taken = {one.number for one in observed}
    free: list[int] = []
    number = 1
    while len(free) < count:
        if number not in taken:
            free.append(number)
        number += 1
    return free
