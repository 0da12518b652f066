"""Which request matters more: by its path, or by what a trusted peer says. Pure."""

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.routes import Routes
from mainstay.spec.shed import PRIORITIES, Shed

CRITICAL, HIGH, MEDIUM, LOW = range(len(PRIORITIES))
NOBODY = len(PRIORITIES)
"""Less important than everyone: the priority of the first in an empty queue."""

_SHARES = (1.0, 0.95, 0.9, 0.7)
"""Of the limit, by priority. A tenth is for critical alone, three for those above low. Where
nothing above medium is declared, medium has all of it."""

_WORDS = {name.encode(): place for place, name in enumerate(PRIORITIES)}


class Priorities:
    """Finds the priority of a request. Shared by threads: nothing in it changes.

    Args:
        options: Its routes and header.

    Attributes:
        used: Which priorities a request can have at all.
        fixed: The priority of every request, where none is declared; None where it depends.
    """

    __slots__ = ("_header", "_places", "_routes", "fixed", "used")

    def __init__(self, options: Shed) -> None:
        routes = {
            route: place
            for place, name in enumerate(PRIORITIES)
            for route in getattr(options.priorities, name)
        }
        self._header = None if options.header is None else options.header.lower().encode()
        # The longest, which says most, is tried first.
        longest = sorted(routes, key=len, reverse=True)
        self._routes = Routes(longest) if longest else None
        self._places = tuple(routes[route] for route in longest)
        every = self._header is not None
        self.fixed = None if every or longest else MEDIUM
        self.used = tuple(
            every or place == MEDIUM or place in self._places for place in range(NOBODY)
        )

    def of(self, exchange: Exchange) -> int:
        """Return the priority: a trusted peer's word, else that of the path, else medium.

        A word that is none of the four counts as none.
        """
        if self._header is not None and exchange.trusted:
            word = exchange.get(self._header)
            place = None if word is None else _WORDS.get(word)
            if place is not None:
                return place
        if self._routes is not None:
            index = self._routes.find(exchange.path)
            if index is not None:
                return self._places[index]
        return MEDIUM


def bounds(limit: int, used: tuple[bool, ...]) -> tuple[int, ...]:
    """Return how many requests may be in flight for one more of each priority to be let in.

    Never 0, and never growing towards the less important. Where there is room for it, each
    priority that is used has a place more than the next one.

    Args:
        limit: For all together; 1 or more.
        used: Which priorities there are.
    """
    whole = _SHARES[used.index(True)]
    result: list[int] = []
    above = 0
    for share, is_used in zip(_SHARES, used, strict=True):
        result.append(max(1, min(int(limit * min(1.0, share / whole)), limit - above)))
        above += is_used
    return tuple(result)
