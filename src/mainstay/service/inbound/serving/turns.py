"""How often the threads of a server take turns with the interpreter.

A thread that wants the interpreter waits for up to 5 ms, Python's own choice, while another one
works. For most of the time that is right: a change of threads costs more than it gives. It is too
long under overload, where a probe among sixteen busy threads would wait through a dozen, and where
the thread that takes requests in for an event loop would wait behind handlers each time.
"""

import contextlib
import sys
from collections.abc import Iterator
from threading import Lock

from mainstay.core.events import Event
from mainstay.service.inbound.admission.events import OverloadBegan, OverloadEnded

OVERLOADED_S = 0.001
"""Under overload. Not always: each thread that waits looks again so often, which costs a request
under FastAPI 2 µs more, and one under WSGI 18,000 instructions of the kernel and more."""

HURRIED_S = 0.0005
"""While a probe is answered: of 5 ms, an answer would wait through one for each call of the
system."""

_HALF_MICROSECOND_S = 5e-7


class Turns:
    """Sets the interval of this process; one object does. Safe for threads.

    What somebody else sets meanwhile has a reason: from then on that is the usual one.
    """

    __slots__ = ("_hurried", "_lock", "_overloaded", "_set_s", "_usual_s")

    def __init__(self) -> None:
        self._lock = Lock()
        self._usual_s = self._set_s = sys.getswitchinterval()
        self._hurried = self._overloaded = False

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """Take turns often for a moment; one thread at a time does this."""
        self._hurried = True
        self._set()
        try:
            yield
        finally:
            self._hurried = False
            self._set()

    def take_often(self) -> None:
        """Take turns more often from now on: for whom nobody tells of overload."""
        self._overloaded = True
        self._set()

    def heard(self, event: Event) -> None:
        """Take turns more often from when an overload begins until it ends: a listener."""
        if isinstance(event, OverloadBegan | OverloadEnded):
            self._overloaded = isinstance(event, OverloadBegan)
            self._set()

    def _set(self) -> None:
        with self._lock:
            found_s = sys.getswitchinterval()
            if found_s not in (self._set_s, OVERLOADED_S, HURRIED_S):
                self._usual_s = found_s
            wanted_s = self._usual_s
            if self._overloaded:
                wanted_s = min(wanted_s, OVERLOADED_S)
            if self._hurried:
                wanted_s = min(wanted_s, HURRIED_S)
            # Python cuts off what is less than a microsecond, and says less than it was told.
            sys.setswitchinterval(wanted_s + _HALF_MICROSECOND_S)
            self._set_s = sys.getswitchinterval()
