"""What must begin anew in a process that forks off: queues, threads and locks are the parent's."""

import os
import weakref
from collections.abc import Callable


def begin_in_children(begin: Callable[[], None]) -> None:
    """Call a bound method in each process that forks off, for as long as its object lives."""
    mine = weakref.WeakMethod(begin)

    def in_child() -> None:
        method = mine()
        if method is not None:
            method()

    os.register_at_fork(after_in_child=in_child)
