"""The port behind which sessions are kept; its values are in ``core.sessions``.

``mainstay.state.sessions`` implements it in Valkey, ``memory.py`` here. All raise
``StoreUnavailable`` and nothing else, and answer in bounded time.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from mainstay.core.sessions import Ages, Birth, Found, Name, Outcome


class SessionRecords(Protocol):
    """A store of sessions. Safe to share between threads, tasks and loops; each call is atomic."""

    def load(self, name: Name, ages: Ages) -> Found | None:
        """Return a session, and extend it where that is due; None where there is none."""
        ...

    async def aload(self, name: Name, ages: Ages) -> Found | None:
        """As ``load``."""
        ...

    def create(self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages) -> Outcome:
        """Make a session.

        Args:
            name: Of which it is the only one.
            birth: When it began, and whose it is.
            fields: Names and their values, as JSON.
            ages: How long it lives.

        Returns:
            GONE where its user was signed out since it was bound, or it is too old.
        """
        ...

    async def acreate(
        self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages
    ) -> Outcome:
        """As ``create``."""
        ...

    def change(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """Set and remove fields of a session.

        Args:
            name: Of the session.
            fields: To set: names and their values, as JSON.
            removed: Names of those to remove; one that is not there is no error.
            ages: How long the session lives.
            size: Bytes that all names and values may have together afterwards.

        Returns:
            GONE where there is none; FULL where it would be larger than ``size``. Then nothing was
            changed.
        """
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
