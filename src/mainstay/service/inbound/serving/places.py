"""As many calls of a WSGI app at once as ``run.threads`` says, and a thread left for probes.

Under WSGI whatever arrives takes a thread, a health probe like any request. If there were only as
many threads as the app may use, a probe would wait behind all requests that do. So there may be
many more than requests can wait in, and how many of them call the app is for admission to say,
which lets the most important and under overload the newest go first.
"""

from dataclasses import replace

from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.serving.turns import Turns
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

_PATIENT_S = 86_400.0
"""As long as a deadline may be: where nothing is shed, requests wait as long as they have time."""


def fitted(app: WsgiShell, threads: int, turns: Turns) -> WsgiShell:
    """Return a shell whose app is called in so many threads at once, and no more.

    Args:
        app: As it was wrapped.
        threads: How many.
        turns: Of the threads of this process.
    """
    inbound = app.inbound
    if inbound.admission is not None:
        inbound.admission.fit(places=threads, waiting=WAITING_MAX)
        inbound.events.add(turns.heard)
    else:
        # Here nobody tells of overload.
        turns.take_often()
        patient = Shed(mode="fixed", limit=threads, queue=WAITING_MAX, wait_s=_PATIENT_S)
        admission = Admission(patient, clock=inbound.clock, events=inbound.events, rng=inbound.rng)
        app = WsgiShell(app.wrapped, replace(inbound, admission=admission))
    app.allow(bodies=threads + ARRIVING_MAX)
    return app
