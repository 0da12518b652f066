"""Children that are forked off the process of the tests."""

import gc
import os
import signal
from collections.abc import Callable

CHILD_S = 20


def fork() -> int:
    """Fork as ``os.fork`` does; the child is killed after ``CHILD_S`` and leaves old garbage alone.

    What other tests left may belong to threads, which the child has not. A call of gRPC that was
    collected there ended one child of three by a crash or for ever.
    """
    parent = os.getpid()
    # Before it, since hooks of Python run first of all in the child.
    gc.freeze()
    try:
        child = os.fork()
    finally:
        if os.getpid() == parent:
            gc.unfreeze()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_S)
    return child


def in_child(work: Callable[[], object]) -> bool:
    """Return whether ``work`` ended well, and in time, in a process forked off this one."""
    child = fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0
