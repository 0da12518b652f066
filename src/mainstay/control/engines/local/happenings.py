"""What the local engine reports: events for the daemon's log and for live views."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaEvent(Event):
    """Something happened to one replica."""

    service: str
    replica: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStarted(ReplicaEvent):
    """Its process runs; it is not ready yet."""

    pid: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaAdopted(ReplicaEvent):
    """It ran before this daemon did, and goes on."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReady(ReplicaEvent):
    """It is ready and gets traffic. ``after_s`` is the time since its start."""

    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStopping(ReplicaEvent):
    """It is leaving the edge and will be ended, because of ``reason``."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaEnded(ReplicaEvent):
    """Its process is gone. ``asked`` tells whether the engine had ended it."""

    reason: str
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashLooping(Event):
    """A service's starts keep failing; it is tried again at the longest pause."""

    service: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTrouble(Event):
    """The edge did not take a change; it goes on with the last good configuration."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTrouble(Event):
    """What must survive the daemon could not be read or written."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReady(Event):
    """Every service is as it is wanted, for the first time since this daemon began.

    Attributes:
        after_s: Since then.
        addresses: Where clients reach it: service and URL of each public port.
    """

    after_s: float
    addresses: tuple[tuple[str, str], ...]
