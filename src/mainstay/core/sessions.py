"""Sessions: what is asked of a store, and what it answers. Values alone.

A session is a set of fields, each a JSON text, so that two requests which change different fields
at once both get their way, without a version to compare and no second try. It has an age, may
belong to a user, and ends when nobody reads it, when it is too old, or when the user is signed out.

``service.inbound.sessions`` asks; ``state.sessions`` answers from Valkey. Both planes know these
values, and neither the other.
"""

from enum import Enum, auto
from typing import NamedTuple

NOW = 0
"""A stamp that a store replaces by its present."""


class Name(NamedTuple):
    """Which session. Who knows it can't make a cookie of it.

    Attributes:
        group: 24 hex digits: the same for all sessions of a user, chance for others.
        digest: 40 hex digits, of the session's id.
    """

    group: str
    digest: str


class Ages(NamedTuple):
    """How long sessions live. In whole milliseconds, as stores count.

    Attributes:
        ttl_ms: Unread.
        lifetime_ms: In all.
        touch_ms: Reading extends it at most this often.
    """

    ttl_ms: int
    lifetime_ms: int
    touch_ms: int


class Birth(NamedTuple):
    """When a session began, in stamps of its store: microseconds, or NOW.

    Attributes:
        created: Its lifetime counts from here.
        bound: When the user signed in; None without a user.
        user: Who that is; empty without one.
    """

    created: int
    bound: int | None
    user: str


class Found(NamedTuple):
    """A session that is there.

    Attributes:
        fields: JSON by name.
        birth: See there; no NOW in it.
    """

    fields: dict[str, str]
    birth: Birth


class Outcome(Enum):
    """What became of a change."""

    DONE = auto()
    GONE = auto()
    """The session has ended meanwhile; it is not brought back."""
    FULL = auto()
    """It would be larger than it may be; nothing was changed."""
