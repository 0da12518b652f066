"""What a virtual loop refuses. All of them mean: the test is wrong, not the code's luck.

MainstayError
└── VirtualRunFailed     a run under virtual time could not go on
    ├── Deadlocked       everyone waits, and no timer is set
    ├── RealWaitRefused  something would wait for the real world (also a NotImplementedError)
    └── RunEndless       the bound on steps is reached
"""

from mainstay.core.errors import MainstayError


class VirtualRunFailed(MainstayError):
    """A run under virtual time could not go on."""


class Deadlocked(VirtualRunFailed):
    """Every task waits for another and no timer is set: nothing will ever happen again.

    The sentence names the waiting tasks and the line where each waits.
    """


class RealWaitRefused(VirtualRunFailed, NotImplementedError):
    """Sockets, files, processes, names and threads take real time, which is not virtual.

    Give the code under test a fake of what it would reach. Also a NotImplementedError, which is
    what asyncio raises where a loop lacks something, so that portable code goes its other way.
    """


class RunEndless(VirtualRunFailed):
    """The loop turned more often than its bound without the main coroutine's end."""
