"""Whether an app still gets on with its work, judged from a thread beside it, when it is asked.

What is merely busy is not stuck: a loop that turns now and then, a thread that is within its time.
"""

import asyncio
import contextlib
from collections.abc import Callable

from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.wsgi.flight import ThreadFlight

STUCK_S = 2.0
"""A loop that has not turned for so long is stuck, and so are threads that are late by it: so long
the edge waits for a probe."""

Stuck = Callable[[], str | None]
"""Says in a few words what is stuck; None while the app gets on."""


class LoopStuck:
    """Judges an event loop by whether it has turned since an earlier question.

    Args:
        loop: The app's.
        now_s: Monotonic time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, now_s: Callable[[], float]) -> None:
        self._loop = loop
        self._now_s = now_s
        self._asked_s: float | None = None

    def __call__(self) -> str | None:
        """Judge, and ask it anew. In one thread alone."""
        now_s, asked_s = self._now_s(), self._asked_s
        if asked_s is not None:
            return "the event loop is stuck" if now_s - asked_s > STUCK_S else None
        self._asked_s = now_s
        with contextlib.suppress(RuntimeError):  # It was closed: the process ends.
            self._loop.call_soon_threadsafe(self._turned)
        return None

    def _turned(self) -> None:
        self._asked_s = None


class ThreadsStuck:
    """Judges the threads of a WSGI app by the requests that they work on.

    They are stuck when nobody else may come in, and all that are in were answered in their place
    since their time was up, which is a while ago: such a thread works for nobody. One that sends a
    long answer is not among them.

    Args:
        admission: Who may come in.
        drain: Who is in.
        now_s: Monotonic time.
    """

    def __init__(self, admission: Admission, drain: Drain, now_s: Callable[[], float]) -> None:
        self._admission = admission
        self._drain = drain
        self._now_s = now_s

    def __call__(self) -> str | None:
        """Judge. Any thread may ask."""
        late_s = self._now_s() - STUCK_S
        # The copy is one step of C, so that threads may add and discard meanwhile.
        late = sum(
            isinstance(one, ThreadFlight) and one.admitted and one.is_cut and one.expires_s < late_s
            for one in list(self._drain.flights)
        )
        stats = self._admission.stats()
        return "every thread is stuck" if late >= max(stats.limit, stats.in_flight) else None
