"""The four health endpoints: what each one asks, and how it answers."""

from collections.abc import Mapping
from enum import Enum

from mainstay.service.inbound.health import document as health
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.document import Outcome, Status
from mainstay.service.inbound.stopping.drain import Drain

_OK = 200
_UNAVAILABLE = 503
ALLOWED_METHODS = frozenset({"GET", "HEAD"})


class Probe(Enum):
    """One endpoint; the value is its path below ``inbound.health.path``."""

    LIVE = "/live"
    READY = "/ready"
    STARTUP = "/startup"
    ALL = ""


def conclude(
    probe: Probe, *, started: bool, stopping: bool, outcomes: Mapping[str, Outcome]
) -> tuple[Status, str | None]:
    """Return what a probe says, and why where no check is the reason.

    Live is true while anything answers at all; whoever restarts processes for the sake of a
    dependency makes an outage longer. Only ready (and the whole) turn traffic away.
    """
    if probe is Probe.LIVE:
        return Status.PASS, None
    if not started:
        return Status.FAIL, "starting"
    if probe is Probe.STARTUP:
        return Status.PASS, None
    if stopping:
        return Status.FAIL, "draining"
    return health.aggregate(outcomes), None


class Probes:
    """Answers health probes for every shell of one service.

    Args:
        path: ``inbound.health.path``.
        service: Name of the service.
        version: What runs.
        board: Its checks.
        drain: Whether it has started, and whether it is on its way out.

    Attributes:
        routes: Path to probe, for the shells to look up.
    """

    __slots__ = ("_board", "_drain", "_service", "_version", "routes")

    def __init__(
        self, *, path: str, service: str, version: str, board: Board, drain: Drain
    ) -> None:
        root = path.rstrip("/")
        self.routes = {root + probe.value: probe for probe in Probe if root + probe.value}
        self._service = service
        self._version = version
        self._board = board
        self._drain = drain

    def answer(self, probe: Probe) -> tuple[int, bytes]:
        """Return status code and body. Blocks for at most the longest timeout of a check."""
        outcomes = {}
        if self._needs_checks(probe):
            outcomes = self._board.ask(critical_only=probe is Probe.READY)
        return self._answer(probe, outcomes)

    async def answer_async(self, probe: Probe) -> tuple[int, bytes]:
        """Do what ``answer`` does, without blocking the event loop."""
        outcomes = {}
        if self._needs_checks(probe):
            outcomes = await self._board.ask_async(critical_only=probe is Probe.READY)
        return self._answer(probe, outcomes)

    def _needs_checks(self, probe: Probe) -> bool:
        if probe is Probe.ALL:
            return True
        # A process that is not ready anyway need not trouble its dependencies about it.
        return probe is Probe.READY and self._drain.started and not self._drain.stopping

    def _answer(self, probe: Probe, outcomes: Mapping[str, Outcome]) -> tuple[int, bytes]:
        status, why = conclude(
            probe, started=self._drain.started, stopping=self._drain.stopping, outcomes=outcomes
        )
        document = health.body(
            status, service=self._service, version=self._version, outcomes=outcomes, output=why
        )
        return _UNAVAILABLE if status is Status.FAIL else _OK, document
