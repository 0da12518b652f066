"""What a client of Valkey tells its listeners."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAway(Event):
    """The store does not answer; until it is back, callers hear so at once.

    Attributes:
        store: Which one, without any secret.
        why: In words.
    """

    store: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBack(Event):
    """The store answers again.

    Attributes:
        store: Which one, without any secret.
    """

    store: str
