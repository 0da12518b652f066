"""What is decided about sessions, as events."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChangesLost(Event):
    """A request changed a session that had ended meanwhile: it expired, was rotated or revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionUnavailable(Event):
    """A request touched its session, and the store was away.

    Attributes:
        doing: load or keep.
    """

    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRevoked(Event):
    """All sessions of a user were ended.

    Attributes:
        group: Of the user's sessions; a hash.
    """

    group: str
