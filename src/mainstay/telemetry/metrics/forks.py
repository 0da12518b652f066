"""What must begin anew in a forked child: counts, threads and locks are the parent's."""

import os
import weakref
from collections.abc import Callable


def in_children(method: Callable[[], object]) -> None:
    """Have a bound method called in each forked child, for as long as its object lives.

    In the order in which this was asked for.
    """
    known = weakref.WeakMethod(method)

    def call() -> None:
        found = known()
        if found is not None:
            found()

    os.register_at_fork(after_in_child=call)
