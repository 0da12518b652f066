"""Things that must start anew in a forked child: connections and threads are the parent's."""

import functools
import os
import weakref
from typing import Protocol


class Forgets(Protocol):
    """What starts anew in a forked child."""

    def forget(self) -> None:
        """Let go of what is the parent's. Other threads are gone, with the locks they held."""
        ...


_KNOWN: "weakref.WeakSet[Forgets]" = weakref.WeakSet()


def heed_forks(thing: Forgets) -> None:
    """Have ``thing.forget`` called in each forked child, for as long as the thing lives.

    So that no call has to ask which process it is in.
    """
    _register()
    _KNOWN.add(thing)


@functools.cache
def _register() -> None:
    os.register_at_fork(after_in_child=_forget_all)


def _forget_all() -> None:
    for thing in list(_KNOWN):
        thing.forget()
