"""What a child process does with the policies that it was forked with.

Of the parent's threads only the one that forked lives on in the child. A lock that another held
would stay locked for ever, and so would the slots and the probes that the others had.
"""

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What holds locks, or places that calls of other threads have."""

    def renew_locks(self) -> None:
        """Take new locks, without touching the old ones."""
        ...

    def free_places(self) -> None:
        """Free what calls hold that do not exist in this process; every lock is new by now."""
        ...


_ALIVE: "weakref.WeakSet[Forked]" = weakref.WeakSet()


def follow_forks(one: Forked) -> None:
    """Have ``one`` told in every process that is forked off this one, for as long as it lives."""
    _ALIVE.add(one)


def _in_child() -> None:
    alive = list(_ALIVE)
    for one in alive:
        one.renew_locks()
    for one in alive:
        one.free_places()


os.register_at_fork(after_in_child=_in_child)
