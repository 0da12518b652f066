"""What a client of Valkey tells its listeners, who may be those of the whole service.

Each event loop, and the threads together, find out by themselves; so of one outage there are as
many pairs of these as there are of those that asked meanwhile. They are told from the loop that
found out, or from a thread of the client's own.
"""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAway(Event):
    """The store does not answer; until it is back, callers hear so at once.

    Told once, when calls begin to be sent away: what a limit then decides by itself, and what is
    refused for it, is told by those parts.

    Attributes:
        store: Which one, without any secret.
        why: In words.
    """

    store: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBack(Event):
    """The store answers again: a connection was opened, greeted and answered.

    A connection that ends in peace and is opened again, as when the server is started anew, is
    told by neither event unless callers were sent away meanwhile.

    Attributes:
        store: Which one, without any secret.
    """

    store: str
