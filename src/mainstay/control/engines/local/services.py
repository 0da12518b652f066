"""The engine's hold on a service: its declaration, what was asked beyond it, how it fares."""

from dataclasses import dataclass

from mainstay.control.logs.words import words_of
from mainstay.control.processes.ends import End
from mainstay.spec.declaration import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What ``scale`` and ``restart`` asked of a service, beyond its declaration."""

    replicas: int
    generation: int = 0


@dataclass(kw_only=True, eq=False)
class RunningService:
    """The engine's hold on one service. Mutable; owned by one event loop.

    Attributes:
        check: How the edge checks its replicas, ``http`` or ``tcp``.
        failures: Monotonic times of failed starts since the last stable replica.
        deaths: Replicas that ended though nobody had asked, since the daemon began.
        last_end: The last such end.
        looping: Whether it is in a crash loop.
    """

    member: Member
    wishes: Wishes
    check: str = "tcp"
    failures: tuple[float, ...] = ()
    deaths: int = 0
    last_end: End | None = None
    looping: bool = False

    def kept_versions(self) -> frozenset[str]:
        """Return the other versions that ``edge.weights`` gives a share of the traffic."""
        declaration = self.member.declaration
        return frozenset(
            version
            for version, weight in declaration.edge.weights
            if weight > 0 and version != declaration.version
        )

    def loop_sentence(self) -> str:
        """Say that the service does not start, and why: how it last ended, and its last words."""
        sentence = f"{self.member.name} does not start"
        if self.last_end is None:
            return sentence
        tail = "".join(f"\n    {line}" for line in words_of(self.last_end.tail))
        return f"{sentence}: {self.last_end.sentence}{tail}"
