"""Streams whose clients don't read: their places, for those who wait for one.

A place is for work. While a server waits until it can write, the app does none, and such a request
needs no place. A task sees for itself that it waits (``Flight``). For a thread nothing tells when
that begins to be long: so each stream notes when it gave its last part away, and who finds no place
looks at all of them.
"""

from typing import Protocol

from mainstay.service.inbound.slow_clients import READER_S


class Stream(Protocol):
    """A streamed answer whose request holds a place.

    Attributes:
        given_s: Monotonic: when its last part was given away; 0 while the next is made.
    """

    given_s: float

    def make_room(self) -> None:
        """Give the place back."""
        ...


class Readers:
    """Streams that hold places; shared by all threads, and bounded by the places."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: set[Stream] = set()

    def __len__(self) -> int:
        return len(self._streams)

    def add(self, stream: Stream) -> None:
        """Note a stream until it is taken."""
        self._streams.add(stream)

    def take(self, stream: Stream) -> bool:
        """Return whether the place of a stream is the caller's to give back: to one it is, once."""
        try:
            # One step of C: of two threads, one gets it.
            self._streams.remove(stream)
        except KeyError:
            return False
        return True

    def make_room(self, now_s: float) -> None:
        """Have all that wait for their readers give their places back."""
        # The copy is one step of C, so that threads may add and take meanwhile.
        for stream in list(self._streams):
            if stream.given_s and now_s - stream.given_s >= READER_S and self.take(stream):
                stream.make_room()
