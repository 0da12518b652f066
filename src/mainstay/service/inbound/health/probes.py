"""The health endpoints: what each one asks, and how it answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from mainstay.service.inbound.health import document as health
from mainstay.service.inbound.health.board import Board, Wanted, critical, everything
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.document import Identity, Outcome, Status
from mainstay.service.inbound.health.refresher import Refresher
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.spec.health import Health

_CODES = {Status.PASS: 200, Status.WARN: 200, Status.FAIL: 503}
ALLOWED_METHODS = frozenset({"GET", "HEAD"})
WRONG_METHOD = Refusal.of(
    "method-not-allowed", "This is asked for by GET or HEAD.", ((b"allow", b"GET, HEAD"),)
)


class Question(Enum):
    """What an endpoint asks; the value is its path below ``inbound.health.path``."""

    LIVE = "/live"
    READY = "/ready"
    STARTUP = "/startup"
    ALL = ""
    GROUP = "/group/"
    FIGURES = "figures"
    """None of health: whoever asks wants metrics, which have a path of their own."""


_FIXED = (Question.LIVE, Question.READY, Question.STARTUP, Question.ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One endpoint.

    Attributes:
        question: What it asks.
        group: Which group, where it asks for one.
        members: The checks that the declaration names for that group.
    """

    question: Question
    group: str = ""
    members: tuple[str, ...] = ()

    def wants(self, check: Check) -> bool:
        """Whether a check belongs to its group."""
        return check.name in self.members or self.group in check.groups


FIGURES = Probe(question=Question.FIGURES)
"""Who asks for metrics, which are exempt from all that health is exempt from."""


def conclude(
    question: Question, *, started: bool, stopping: bool, outcomes: Mapping[str, Outcome]
) -> tuple[Status, str | None]:
    """Return what an endpoint says, and why where no check is the reason.

    Live is true while anything answers at all; whoever restarts processes for the sake of a
    dependency makes an outage longer. Only ready (and the whole) turn traffic away. A group is
    about its checks alone.
    """
    if question is Question.LIVE:
        return Status.PASS, None
    if question is Question.GROUP:
        return health.aggregate(outcomes, all_critical=True), None
    if not started:
        return Status.FAIL, "starting"
    if question is Question.STARTUP:
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
        health: What the declaration says besides the path.

    Attributes:
        routes: Path to probe, for the shells to look up. A group that only a check names is in it
            from the moment that ``serve_groups`` hears of it.
    """

    __slots__ = ("_board", "_drain", "_identity", "_live", "_refresher", "_root", "routes")

    def __init__(
        self,
        *,
        path: str,
        service: str,
        version: str,
        board: Board,
        drain: Drain,
        health: Health | None = None,
    ) -> None:
        declared = Health() if health is None else health
        self._root = path.rstrip("/")
        self.routes: dict[str, Probe] = {}
        for question in _FIXED:
            if self._root + question.value:
                self.routes[self._root + question.value] = Probe(question=question)
        for name, members in declared.groups:
            self._route_group(Probe(question=Question.GROUP, group=name, members=members))
        self._board = board
        self._drain = drain
        self._identity = Identity(
            service=service,
            version=version,
            description=declared.description,
            notes=declared.notes,
            links=declared.links,
        )
        self._refresher: Refresher | None = None
        if declared.refresh:
            self._refresher = Refresher(board, lambda: drain.stopping)
        self._live = self._answer(Probe(question=Question.LIVE), {})

    def serve_groups(self, names: Iterable[str]) -> None:
        """Answer for groups that a check names and the declaration may not."""
        for name in names:
            if self._root + Question.GROUP.value + name not in self.routes:
                self._route_group(Probe(question=Question.GROUP, group=name))

    def _route_group(self, probe: Probe) -> None:
        self.routes[self._root + Question.GROUP.value + probe.group] = probe

    def answer(self, probe: Probe, *, trusted: bool = True) -> tuple[int, bytes]:
        """Return status code and body. Blocks for at most the longest timeout of a check.

        Args:
            probe: Which endpoint is asked.
            trusted: Whether who asks is told what the checks found. Which dependencies there are,
                and how they fail, is nobody's business outside.
        """
        if probe.question is Question.LIVE:
            return self._live
        wanted = self._wanted(probe)
        outcomes = {} if wanted is None else self._board.ask(wanted)
        return self._answer(probe, outcomes, trusted=trusted)

    async def answer_async(self, probe: Probe, *, trusted: bool = True) -> tuple[int, bytes]:
        """Do what ``answer`` does, without blocking the event loop."""
        if probe.question is Question.LIVE:
            return self._live
        wanted = self._wanted(probe)
        outcomes = {} if wanted is None else await self._board.ask_async(wanted)
        return self._answer(probe, outcomes, trusted=trusted)

    def answer_known(self, probe: Probe) -> tuple[int, bytes] | None:
        """Do what ``answer`` does, where no check must be run for it; None where one must."""
        if probe.question is Question.LIVE:
            return self._live
        wanted = self._wanted(probe)
        outcomes = {} if wanted is None else self._board.known_of(wanted)
        return None if outcomes is None else self._answer(probe, outcomes)

    def _wanted(self, probe: Probe) -> Wanted | None:
        """Return which checks a probe needs, or None for none; wake who keeps them fresh."""
        drain = self._drain
        if probe.question is Question.STARTUP:
            return None
        if probe.question is Question.READY and (drain.stopping or not drain.started):
            # A process that is not ready anyway need not trouble its dependencies about it.
            return None
        if self._refresher is not None and drain.started and not drain.stopping:
            self._refresher.awake()
        if probe.question is Question.GROUP:
            return probe.wants
        return critical if probe.question is Question.READY else everything

    def _answer(
        self, probe: Probe, outcomes: Mapping[str, Outcome], *, trusted: bool = True
    ) -> tuple[int, bytes]:
        status, why = conclude(
            probe.question,
            started=self._drain.started,
            stopping=self._drain.stopping,
            outcomes=outcomes,
        )
        missing = [name for name in probe.members if name not in outcomes]
        if missing:
            # Fails rather than pass: somebody counts on that check.
            status, why = Status.FAIL, f"no such check: {', '.join(missing)}"
        if not trusted:
            return _CODES[status], health.status_alone(status)
        document = health.body(
            status,
            identity=self._identity,
            outcomes=outcomes,
            output=why,
            whole=probe.question is Question.ALL,
        )
        return _CODES[status], document
