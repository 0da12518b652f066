"""What a balancer tells. Every field is a plain value."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointEjected(Event):
    """An endpoint failed too often and gets no calls for a while.

    Attributes:
        dependency: Name of the balancer.
        endpoint: ``host:port``.
        reason: ``streak`` (failures in a row) or ``share`` (of its calls of late).
        away_s: For how long.
        nth: Which ejection of this endpoint it is, from 1.
    """

    dependency: str
    endpoint: str
    reason: str
    away_s: float
    nth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReturned(Event):
    """An ejected endpoint gets calls again.

    Attributes:
        dependency: Name of the balancer.
        endpoint: ``host:port``.
    """

    dependency: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsChanged(Event):
    """The set of endpoints is another than before.

    Attributes:
        dependency: Name of the balancer.
        added: ``host:port`` of those that came.
        removed: Of those that left.
    """

    dependency: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameUnresolved(Event):
    """A name could not be looked up; its last good answer is still in use.

    Attributes:
        host: The name.
        failures: Look-ups that failed in a row.
        reason: What the resolver said.
        endpoints: How many endpoints the last good answer has; 0 where there never was one.
    """

    host: str
    failures: int
    reason: str
    endpoints: int
