"""Outlier ejection, decided purely: who leaves, for how long, and how many may be away."""

import math
from dataclasses import dataclass
from enum import Enum

from mainstay.service.outbound.balance.member import Member

SLOW_START_SHARE_MIN = 0.1
"""What a member gets at the begin of its slow start, so that it is tried at all."""


class Reason(Enum):
    """Why an endpoint was ejected."""

    STREAK = "streak"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """When an endpoint that fails gets no calls for a while.

    Attributes:
        failures: Failures in a row that eject it. Envoy's default: 5.
        share: Share of failed calls that ejects it, from above 0 to 1; None looks at none.
        calls_min: Calls within the window below which the share says nothing.
        window_s: Length of that window; its older half is forgotten as a whole.
        time_s: Length of the first ejection; the nth is n times as long, as in Envoy.
        time_max_s: Longest ejection. Having served this long without one, an endpoint starts over.
        share_max: At most this share of the endpoints is away at once, rounded down; and never
            the last one. With two endpoints, a half is one of them.
        slow_start_s: How long an endpoint that came or returned takes to its full share of the
            traffic; 0 gives it at once. Keyed calls don't take part: their keys would wander.
    """

    failures: int = 5
    share: float | None = 0.5
    calls_min: int = 20
    window_s: float = 30.0
    time_s: float = 10.0
    time_max_s: float = 300.0
    share_max: float = 0.5
    slow_start_s: float = 0.0

    def __post_init__(self) -> None:
        if self.failures < 1 or self.calls_min < 1:
            raise ValueError("failures and calls_min are at least 1")
        if not 0 <= self.share_max <= 1 or not 0 < (1 if self.share is None else self.share) <= 1:
            raise ValueError("share and share_max are shares, from 0 to 1; share is above 0")
        if not 0 < self.time_s <= self.time_max_s < math.inf:
            raise ValueError("time_s is above 0 and at most time_max_s, which is finite")
        if not (0 < self.window_s < math.inf and 0 <= self.slow_start_s < math.inf):
            raise ValueError("window_s is above 0, slow_start_s at least 0, and both are finite")


def away_max(ejection: Ejection, members: int) -> int:
    """Return how many of ``members`` may be ejected at once: never all of them."""
    # A tiny step up, so that 0.1 of ten is one and not 0.99999 of one.
    return max(0, min(int(ejection.share_max * members + 1e-9), members - 1))


def ejection_time_s(ejection: Ejection, nth: int) -> float:
    """Return how long the nth ejection of an endpoint lasts, counted from 1."""
    assert nth >= 1
    return min(ejection.time_s * nth, ejection.time_max_s)


def reason_to_eject(ejection: Ejection, member: Member, now_s: float) -> Reason | None:
    """Return why a member that just failed should be ejected, or None where it need not."""
    if member.streak >= ejection.failures:
        return Reason.STREAK
    if ejection.share is None:
        return None
    calls, failures = member.share.counts(now_s, ejection.window_s)
    if calls >= ejection.calls_min and failures >= ejection.share * calls:
        return Reason.SHARE
    return None


def eject(ejection: Ejection, member: Member, now_s: float) -> float:
    """Take a member out of service and return for how many seconds."""
    # Having served well for long, it is no repeat offender any more.
    if now_s - member.serving_since_s >= ejection.time_max_s:
        member.ejections = 0
    member.ejections += 1
    member.generation += 1
    away_s = ejection_time_s(ejection, member.ejections)
    member.ejected_until_s = now_s + away_s
    return away_s


def reinstate(member: Member, now_s: float) -> None:
    """Put a member back into service, with a clean record but for its number of ejections."""
    member.ejected_until_s = None
    member.serving_since_s = now_s
    member.streak = 0
    member.share.clear()


def slow_start_share(ejection: Ejection, member: Member, now_s: float) -> float:
    """Return the share of its calls that a member gets: 1, or less in its slow start."""
    if not ejection.slow_start_s:
        return 1.0
    done = (now_s - member.serving_since_s) / ejection.slow_start_s
    return max(SLOW_START_SHARE_MIN, min(1.0, done))
