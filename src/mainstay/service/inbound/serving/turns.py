"""How often the threads of a server take turns with the interpreter.

A thread that wants the interpreter waits for up to 5 ms, Python's own choice, while another one
works. For most of the time that is right: a change of threads costs more than it gives. It is too
long for a probe, which needs the interpreter several times, and for an event loop under overload,
whose server takes requests in from another thread: there each of them waits behind handlers.
"""

import contextlib
import sys
from collections.abc import Iterator
from threading import Lock

from mainstay.core.events import Event
from mainstay.service.inbound.admission.events import OverloadBegan, OverloadEnded

OVERLOADED_S = 0.001
"""Under overload. With 16 threads of WSGI it would halve what is done, so it is for a loop alone;
without overload it would cost a request under FastAPI 2 µs."""

HURRIED_S = 0.0005
"""While a probe is answered: of 5 ms, an answer would wait through one for each call of the
system."""

_HALF_MICROSECOND_S = 5e-7


class Turns:
    """Sets the interval of this process; one object does. Safe for threads.

    What somebody else sets meanwhile has a reason, and stays.
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

    def heard(self, event: Event) -> None:
        """Take turns more often from when an overload begins until it ends: a listener."""
        if isinstance(event, OverloadBegan | OverloadEnded):
            self._overloaded = isinstance(event, OverloadBegan)
            self._set()

    def _set(self) -> None:
        with self._lock:
            if sys.getswitchinterval() != self._set_s:
                return
            wanted_s = self._usual_s
            if self._overloaded:
                wanted_s = min(wanted_s, OVERLOADED_S)
            if self._hurried:
                wanted_s = min(wanted_s, HURRIED_S)
            # Python cuts off what is less than a microsecond, and says less than it was told.
            sys.setswitchinterval(wanted_s + _HALF_MICROSECOND_S)
            self._set_s = sys.getswitchinterval()
