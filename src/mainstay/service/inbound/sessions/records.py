"""Where sessions are kept: the port, and the values that pass it.

A session is a set of fields, each a JSON text, so that two requests which change different fields
at once both get their way, without a version to compare and no second try. It has an age, may
belong to a user, and ends when nobody reads it, when it is too old, or when the user is signed out.

``mainstay.state.sessions`` implements it in Valkey, ``memory.py`` here. All raise
``StoreUnavailable`` and nothing else, and answer in bounded time.
"""

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import NamedTuple, Protocol

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


class SessionRecords(Protocol):
    """A store of sessions. Safe to share between threads, tasks and loops; each call is atomic."""

    def load(self, name: Name, ages: Ages) -> Found | None:
        """Return a session, and extend it where that is due; None where there is none."""
        ...

    async def aload(self, name: Name, ages: Ages) -> Found | None:
        """As ``load``."""
        ...

    def create(self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages) -> Outcome:
        """Make a session. GONE: its user was signed out since it was bound, or it is too old."""
        ...

    async def acreate(
        self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages
    ) -> Outcome:
        """As ``create``."""
        ...

    def change(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """Set and remove fields of a session; names and texts together are at most ``size``."""
        ...

    async def achange(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """As ``change``."""
        ...

    def drop(self, name: Name) -> None:
        """End a session; one that is not there is no error."""
        ...

    async def adrop(self, name: Name) -> None:
        """As ``drop``."""
        ...

    def revoke(self, group: str, ages: Ages) -> None:
        """End all sessions of a user that were bound until now."""
        ...

    async def arevoke(self, group: str, ages: Ages) -> None:
        """As ``revoke``."""
        ...
