"""As many calls of a WSGI app at once as ``run.threads`` says, and a thread left for probes.

Under WSGI whatever arrives takes a thread, a health probe like any request. If there were only as
many threads as the app may use, a probe would wait behind all requests that do. So there may be
many more than requests can wait in, and how many of them call the app is for admission to say,
which lets the most important and under overload the newest go first.
"""

import sys
from dataclasses import replace

from mainstay.core.events import Event
from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.admission.events import OverloadBegan, OverloadEnded
from mainstay.service.inbound.serving.workers import HELPING_MAX
from mainstay.service.inbound.wsgi.arriving import ARRIVING_MAX
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.spec.shed import Shed

WAITING_MAX = 256
"""Requests that may wait for a place. A thread that waits takes about 65 KB: 16 MB for all."""

WORKERS_MORE = 2048
"""Threads beyond those that the app works in, which are made when requests wait: for those that
wait for a place, for answers whose clients read slowly, and for probes."""

SERVER_THREADS_MORE = ARRIVING_MAX + HELPING_MAX + 16
"""Threads of the server itself beyond those that the app works in: for requests with bodies that
wait, for threads that help, and so always one that takes requests."""

SWITCH_INTERVAL_S = 0.001
"""How long a thread may hold the interpreter while others wait for it, under overload. Python's own
is 5 ms, of which a probe among sixteen busy threads would wait through a dozen. Not always: each
that waits looks again so often, which costs 18,000 instructions of the kernel a request and more.
"""

_PATIENT_S = 86_400.0
"""As long as a deadline may be: where nothing is shed, requests wait as long as they have time."""


def fitted(app: WsgiShell, threads: int) -> WsgiShell:
    """Return a shell whose app is called in so many threads at once, and no more."""
    inbound = app.inbound
    if inbound.admission is not None:
        inbound.admission.fit(places=threads, waiting=WAITING_MAX)
        inbound.events.add(Switching(sys.getswitchinterval()))
    else:
        # Here nobody tells of overload.
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        turns = Shed(mode="fixed", limit=threads, queue=WAITING_MAX, wait_s=_PATIENT_S)
        admission = Admission(turns, clock=inbound.clock, events=inbound.events, rng=inbound.rng)
        app = WsgiShell(app.wrapped, replace(inbound, admission=admission))
    app.allow(bodies=threads + ARRIVING_MAX)
    return app


class Switching:
    """Has threads take turns more often while there is overload; hears events.

    Args:
        usual_s: The interval at other times.
    """

    def __init__(self, usual_s: float) -> None:
        self._usual_s = usual_s

    def __call__(self, event: Event) -> None:
        """Hear one event."""
        if isinstance(event, OverloadBegan):
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        elif isinstance(event, OverloadEnded):
            sys.setswitchinterval(self._usual_s)
