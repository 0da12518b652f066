"""What both shells share: one object, made once for a service, read on the way of each request."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from mainstay.core.clock import Clock
from mainstay.service.inbound.access import AccessLog
from mainstay.service.inbound.health.probes import Probes
from mainstay.service.inbound.stopping.drain import Drain


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """The parts of a service that its shells act with.

    Attributes:
        clock: Times the requests.
        rng: Makes span and trace ids.
        probes: Answers health.
        drain: Counts what is in flight.
        access: Writes access lines; None where ``inbound.access_log`` is off.
        complain: Writes a text to stderr; must not raise.
    """

    clock: Clock
    rng: Random
    probes: Probes
    drain: Drain
    access: AccessLog | None
    complain: Callable[[str], None]
