"""Work in a child process that is forked off the test."""

import os
import signal
from collections.abc import Callable

CHILD_S = 20


def in_child(work: Callable[[], object]) -> bool:
    """Return whether ``work`` ended well, and in time, in a process forked off this one."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(CHILD_S)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0
