"""What happens to the running edge, for whoever listens."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStarted(Event):
    """Envoy is up with the whole configuration.

    Attributes:
        pid: Its process.
        duration_s: From the start of the process until it served.
    """

    pid: int
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAdopted(Event):
    """An Envoy that was already running is looked after again; ``pid`` is its process."""

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDied(Event):
    """Envoy ended without being asked to.

    Attributes:
        pid: The process that ended.
        restart_in_s: It is started again after this.
    """

    pid: int
    restart_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeHung(Event):
    """Envoy did not answer for several seconds and is killed; it dies, and is started again.

    Attributes:
        pid: The process.
    """

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRestartFailed(Event):
    """Envoy could not be started again; ``restart_in_s`` from now it is tried once more."""

    why: str
    restart_in_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePushed(Event):
    """Envoy serves by a new configuration.

    Attributes:
        duration_s: From the first file written until it did.
        files: How many files were written.
    """

    duration_s: float
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePushRefused(Event):
    """Envoy refused a configuration and goes on with the last good one; ``why`` in its words."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDrained(Event):
    """Envoy ended as asked.

    Attributes:
        duration_s: From the request to the end of the process.
        cut: Requests that were still in flight when the bound was reached.
    """

    duration_s: float
    cut: int
