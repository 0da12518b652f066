"""The headers that an answer wears, whole and less those that the app set itself."""

from collections.abc import Collection, Iterable

from mainstay.service.inbound.perimeter.cors import ALLOW_ORIGIN, PREFIX
from mainstay.service.inbound.problems.refusal import RawHeaders

REQUEST_ID = b"x-request-id"
"""The header by which an answer tells the request's id."""

EVENTS = b"text/event-stream"
"""How the type of a stream begins that stays open, and does nothing most of the time."""

CONTENT_TYPE = b"content-type"
_VARY = b"vary"
_TITLED = b"Content-Type"
_LESS_MAX = 256
"""Sets of headers set by the app that are remembered: an app has few."""


class Outfit:
    """Headers for one kind of request.

    Attributes:
        headers: All of them; one object for good, so that a shell may keep what it made of it.
        names: Those that the app may set itself instead. ``Vary`` is added to the app's own.
        touchy: Names beside which the headers can't simply be put: those above, those that are
            hidden, the request's id, and one that shows that names are not in lower case.
    """

    __slots__ = ("_less", "headers", "names", "touchy")

    def __init__(self, headers: RawHeaders, hidden: frozenset[bytes]) -> None:
        self.headers = headers
        self.names = frozenset(name for name, _ in headers if name != _VARY)
        self.touchy = self.names | hidden | {REQUEST_ID, _TITLED}
        self._less: dict[frozenset[bytes], RawHeaders] = {}

    def less(self, names: Iterable[bytes]) -> RawHeaders:
        """Return the headers without those in ``names``; for the same ones, the same object."""
        taken = self.names.intersection(names)
        found = self._less.get(taken)
        if found is None:
            found = without(self.headers, taken)
            if len(self._less) < _LESS_MAX:
                # Of two threads that made it, both go on with the first one's.
                found = self._less.setdefault(taken, found)
        return found


def without(headers: RawHeaders, names: Collection[bytes]) -> RawHeaders:
    """Return headers less those that the app set itself.

    An app that says itself who may read its answer says so with all of its CORS headers: two
    halves from two places would allow what neither meant.
    """
    of_app = ALLOW_ORIGIN in names
    return tuple(
        pair
        for pair in headers
        if pair[0] == _VARY or not (pair[0] in names or (of_app and pair[0].startswith(PREFIX)))
    )
