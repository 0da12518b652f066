"""The declaration of one service, and the system that several make."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mainstay.spec.balance import balance_faults
from mainstay.spec.dependency import DEPENDENCY_NAME, SERVICE_NAME, Dependency
from mainstay.spec.edge import HTTP, VERSION, Edge
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import Choice, Command, ListOf, MapOf, Section, Text
from mainstay.spec.kinds.quantities import duration, percentage
from mainstay.spec.kinds.secret import reveal
from mainstay.spec.perimeter import perimeter_faults
from mainstay.spec.run import Run
from mainstay.spec.telemetry import Telemetry


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A service level objective."""

    name: str = key("name", SERVICE_NAME, doc="Its name.", acts=False)
    target: float = key("target", percentage("99.9%"), doc="Share of good requests.", acts=False)
    below_s: float | None = key(
        "below",
        duration("300ms"),
        default=None,
        doc="A request is good if it took less than this; without it, if it did not fail.",
        acts=False,
    )
    window_s: float = key(
        "window", duration("30d"), default=30 * 86400.0, doc="Over this time.", acts=False
    )


RECREATE = "recreate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How a new version takes over."""

    strategy: str = key(
        "strategy",
        Choice(("rolling", "canary", "blue_green", RECREATE)),
        default="rolling",
        doc="rolling: a new replica serves before an old one goes. recreate: an old one is gone "
        "before a new one is started, for a program that must have its data for itself. Nothing "
        "acts on the others in this version.",
        acts=frozenset(("rolling", RECREATE)),
    )
    steps: tuple[float, ...] = key(
        "steps",
        ListOf(percentage("5%"), maximum=20),
        default=(),
        doc="Share of the traffic at each step.",
        acts=False,
    )
    hold_s: float = key("hold", duration("30s"), default=30.0, doc="Time at each step.", acts=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One service, as its ``mainstay.yaml`` declares it."""

    service: str = key("service", SERVICE_NAME, doc="The service's name.")
    version: str = key(
        "version", VERSION, default="dev", doc="What runs; shown, and split by `edge.weights`."
    )
    app: str | None = key(
        "app",
        Text(
            what="an import path such as shop.storefront:app",
            pattern=r"[A-Za-z_][\w.]{0,200}:[A-Za-z_][\w.]{0,100}(?:\(\))?",
        ),
        default=None,
        doc="The ASGI or WSGI app, module:attribute; with () the attribute is called first.",
    )
    command: tuple[str, ...] | None = key(
        "command",
        Command(),
        default=None,
        doc="In place of `app`: any program that listens on $PORT of 127.0.0.1.",
    )
    run: Run = key("run", Section(Run, shorthand="replicas"), default=Run(), doc="Its processes.")
    edge: Edge = key("edge", Section(Edge, shorthand="port"), default=Edge(), doc="The proxy.")
    inbound: Inbound = key(
        "inbound", Section(Inbound), default=Inbound(), doc="Requests that arrive."
    )
    telemetry: Telemetry = key(
        "telemetry",
        Section(Telemetry),
        default=Telemetry(),
        doc="What the service tells of itself.",
    )
    dependencies: tuple[tuple[str, Dependency], ...] = key(
        "dependencies",
        MapOf(DEPENDENCY_NAME, Section(Dependency), maximum=64),
        default=(),
        doc="What the service calls.",
    )
    objectives: tuple[Objective, ...] = key(
        "objectives",
        ListOf(Section(Objective)),
        default=(),
        doc="Service level objectives.",
        acts=False,
    )
    rollout: Rollout | None = key(
        "rollout",
        Section(Rollout, shorthand="strategy"),
        default=None,
        off=True,
        doc="How a new version takes over.",
    )

    def faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield (keys, sentence) for what no single key can know; the keys are dotted paths."""
        if (self.app is None) == (self.command is None):
            yield ("app", "command"), "exactly one of `app` and `command` is needed"
        if self.app is None and self.run.server != Run().server:
            yield (
                ("run.server", "app"),
                "`run.server` serves an `app`; this service has a `command`",
            )
        if self.edge.protocol != HTTP:
            yield from self._protocol_faults()
        if self.run.server == "uvicorn" and self.run.interface == "wsgi":
            yield ("run.interface", "run.server"), "uvicorn serves ASGI only; granian serves WSGI"
        yield from perimeter_faults(self.inbound.cors, self.inbound.headers)
        for name, dependency in self.dependencies:
            yield from _balance_faults(name, dependency)
            if (dependency.service is None) == (dependency.url is None):
                path = f"dependencies.{name}"
                keys = (f"{path}.service", f"{path}.url")
                yield keys, "exactly one of `service` and `url` is needed"

    def _protocol_faults(self) -> Iterator[tuple[tuple[str, ...], str]]:
        protocol = self.edge.protocol
        if self.app is not None:
            sentence = f"an `app` speaks http; `edge.protocol: {protocol}` is for a `command`"
            yield ("edge.protocol", "app"), sentence
        if self.edge.health.kind == HTTP:
            sentence = f"`health: http` can't ask what speaks {protocol}; leave it out"
            yield ("edge.health.kind", "edge.health", "edge.protocol"), sentence


def _balance_faults(name: str, dependency: Dependency) -> Iterator[tuple[tuple[str, ...], str]]:
    if dependency.balance is None:
        return
    url = None if dependency.url is None else reveal(dependency.url)
    for keys, sentence in balance_faults(dependency.balance, service=dependency.service, url=url):
        yield tuple(f"dependencies.{name}.{one}" for one in keys), sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A service of a system and where it lives."""

    declaration: Declaration
    folder: Path

    @property
    def name(self) -> str:
        """The service's name."""
        return self.declaration.service


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Services that know each other by name.

    Attributes:
        name: The declared name, or that of the folder.
        root: Absolute folder of the file that was loaded; ``.mainstay/`` is made here.
        members: The services, in declared order; names are unique. A lone service is a system
            of one.
    """

    name: str
    root: Path
    members: tuple[Member, ...]

    def member(self, service: str) -> Member:
        """Return the member of that name, or raise KeyError."""
        for member in self.members:
            if member.name == service:
                return member
        raise KeyError(service)
