"""Waiting for what another thread is about to do."""

import threading
from collections.abc import Callable


def until(condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
    """Poll for a condition; fail after a bound that only a broken test reaches."""
    pause = threading.Event()
    for _ in range(round(within_s / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("never")
