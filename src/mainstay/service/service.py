"""``Service``: what a declaration makes of an app in this process."""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import ConfigInvalid, PolicyMisused
from mainstay.core.events import Listeners
from mainstay.core.trace import sample_below
from mainstay.service.address import base_url
from mainstay.service.declared import read_declaration
from mainstay.service.inbound.asgi.overrun import RequestLane
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.asgi.types import AsgiApp
from mainstay.service.inbound.client import Trust
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.builtin import builtin_checks
from mainstay.service.inbound.health.check import Check, CheckFunction
from mainstay.service.inbound.health.probes import FIGURES, Probes
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.parts import Parts
from mainstay.service.inbound.perimeter.perimeter import Perimeter
from mainstay.service.inbound.problems.problem import Problems
from mainstay.service.inbound.ratelimit.caller import LimitKey
from mainstay.service.inbound.sessions.sessions import Sessions
from mainstay.service.inbound.stopping.background import Work
from mainstay.service.inbound.stopping.closers import Close, Stage
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.telling import NOBODY, Telling
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.service.inbound.wsgi.types import WsgiApp
from mainstay.service.outbound.dependencies import Dependencies
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.service.outbound.shells.misuse import is_async
from mainstay.service.stores import NoStores, Stores
from mainstay.spec.changes import changed_keys
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Traces

F = TypeVar("F", bound=CheckFunction)
K = TypeVar("K", bound=LimitKey)


class Service:
    """One service, in its own process.

    ::

        service = Service.load()
        app = service.asgi(FastAPI())

    Args:
        declaration: What the service declares.
        clock: Where time comes from; None takes the machine's.
        environ: Where the engine's words are found; None takes this process's environment.
        stores: Makes the stores that the declaration names; None: there are none.
        events: Listeners of what the service does; None makes new ones.
        telling: Who is told what else it does.

    Attributes:
        events: As given or made.
    """

    def __init__(
        self,
        declaration: Declaration,
        *,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        stores: Stores | None = None,
        events: Listeners | None = None,
        telling: Telling = NOBODY,
    ) -> None:
        self._loaded_from: tuple[Path | None, str | None] = None, None
        self._started = declaration
        self.events = Listeners() if events is None else events
        self._environ = dict(os.environ if environ is None else environ)
        clock = clock or SYSTEM_CLOCK
        inbound = declaration.inbound
        self._board = Board(clock=clock, cache_s=inbound.health.cache_s)
        for check in builtin_checks(declaration, self._environ):
            self._board.add(check)
        drain = Drain(
            delay_s=inbound.drain_delay_s,
            bound_s=inbound.drain_s,
            clock=clock,
            events=self.events,
        )
        # Filled by ``limit_key``, also after the app was wrapped.
        self._limit_keys: dict[str, LimitKey] = {}
        self._stores = stores = NoStores() if stores is None else stores
        self._dependencies = Dependencies(
            declaration, self._environ, clock=clock, events=self.events, stores=stores
        )
        drain.closers.add(stores.close, stage="pools")
        parts = Parts(
            declaration=declaration,
            environ=self._environ,
            clock=clock,
            events=self.events,
            stores=stores,
            url=self.url,
        )
        sessions = parts.sessions()
        probes = Probes(
            path=inbound.health.path,
            service=declaration.service,
            version=declaration.version,
            board=self._board,
            drain=drain,
            health=inbound.health,
        )
        if telling.figures is not None:
            probes.routes[telling.figures_path] = FIGURES
        drain.background.report = telling.background
        drain.on_start = self._complain
        self._inbound = Inbound(
            clock=clock,
            rng=_forking_rng(),
            events=self.events,
            probes=probes,
            drain=drain,
            trust=Trust(inbound.trust),
            deadline_s=inbound.deadline_s,
            lane=RequestLane(inbound.deadline_s, clock),
            perimeter=Perimeter(inbound),
            limits=parts.limits(self._limit_keys),
            admission=parts.admission(),
            idempotency=parts.idempotency(self._limit_keys, sessions),
            sessions=sessions,
            problems=Problems(inbound.errors.types),
            problem_errors=inbound.errors.app == "problem",
            telling=telling,
            # Who records no spans decides for those who follow all the same, as everybody would.
            below=sample_below((declaration.telemetry.traces or Traces()).sample),
            reload=self.reload,
        )
        if self._inbound.idempotency is not None:
            drain.closers.add(self._inbound.idempotency.close, stage="pools")

    @classmethod
    def load(cls, path: str | Path | None = None, *, env: str | None = None) -> Self:
        """Read the declaration of this process's service.

        Args:
            path: A file or its folder; None takes $MAINSTAY_DECLARATION, else ./mainstay.yaml.
                Where that is a system, $MAINSTAY_SERVICE says which of its services this is.
            env: Which overlay (``mainstay.<env>.yaml``) lies over it; None as the door decides.

        Raises:
            ConfigInvalid: With every fault of the file, or because nobody said which service.
        """
        made = cls(read_declaration(path, env=env))
        made._loaded_from = None if path is None else Path(path).absolute(), env
        return made

    @property
    def declaration(self) -> Declaration:
        """As given, or as it was taken last."""
        return self._dependencies.declaration

    @property
    def name(self) -> str:
        """The declared name."""
        return self.declaration.service

    def asgi(self, app: AsgiApp) -> AsgiShell:
        """Return ``app`` with everything around it that the declaration has under ``inbound``."""
        return AsgiShell(app, self._inbound)

    def wsgi(self, app: WsgiApp) -> WsgiShell:
        """Return ``app`` with everything around it that the declaration has under ``inbound``."""
        return WsgiShell(app, self._inbound)

    def url(self, name: str) -> str:
        """Return the base URL of a dependency, without a slash at its end.

        Args:
            name: As declared under ``dependencies``, or the name of the service it names.

        Raises:
            AddressUnknown: It is not declared, or nobody said where it is.
        """
        return base_url(name, self.declaration, self._environ)

    def dependency(self, name: str) -> DependencyPolicy:
        """Return the policy of a dependency, as declared: the same one at each call.

        Args:
            name: As declared under ``dependencies``, or the name of the service it names.

        Raises:
            ConfigInvalid: It is not declared, or there is no such store for its breaker.
            PartMissing: The library for that store is not installed.
        """
        return self._dependencies.named(name)

    def take_dependencies(self, declaration: Declaration) -> None:
        """Take what a new declaration says about the dependencies, without a restart.

        Calls that begin from now on follow it. What is counted stays where it means the same.

        Raises:
            ConfigInvalid: One that is in use is not declared any more, or can't be as it is
                declared; then nothing has changed.
            PartMissing: The library for the store of a breaker is not installed; as above.
        """
        self._dependencies.take(declaration)

    def reload(self, path: str | Path | None = None, *, env: str | None = None) -> tuple[str, ...]:
        """Read the declaration again, and take what it says about the dependencies.

        What it says about ``inbound`` and the rest holds from the next start on.

        Under ``mainstay up`` and our own runner, SIGHUP does this. Don't call it in a handler of
        signals: what that interrupts may hold the very locks that this waits for.

        Args:
            path: As for ``load``; where neither is said, both are what they were there.
            env: As for ``load``.

        Returns:
            The keys that differ from what runs and hold from the next start on.

        Raises:
            ConfigInvalid: With every fault, or because it is another service's; then nothing has
                changed.
            PartMissing: The library for the store of a breaker is not installed; as above.
        """
        if path is None and env is None:
            path, env = self._loaded_from
        declared = read_declaration(path, env=env, usual=self.name)
        self.take_dependencies(declared)
        return tuple(key for key in changed_keys(self._started, declared) if key != "dependencies")

    def check(
        self,
        name: str,
        *,
        critical: bool = True,
        timeout_s: float | None = None,
        interval_s: float | None = None,
        failures: int | None = None,
        successes: int | None = None,
        groups: tuple[str, ...] = (),
        affects: tuple[str, ...] = (),
    ) -> Callable[[F], F]:
        """Return a decorator that makes a function one of the service's health checks.

        The function raises or returns False when something is wrong; it may return a ``Finding``.
        A coroutine function runs on the app's event loop, any other in a thread of its own.

        Args:
            name: Its key in the answer of health.
            critical: Whether the service is not ready when it fails.
            timeout_s: How long it may take; None takes ``inbound.health.timeout``.
            interval_s: From one answer to the next question; None takes what
                ``inbound.health.services`` says, as do the next two.
            failures: Failures in a row until it counts as failed.
            successes: Good answers in a row until it counts as passed again.
            groups: Groups that it belongs to, asked below ``/health/group/``.
            affects: Paths of the service that suffer while it fails.

        Raises:
            ValueError: The name is taken, or there are too many checks.
        """
        health = self.declaration.inbound.health
        usual = health.services
        self._inbound.probes.serve_groups(groups)

        def register(function: F) -> F:
            self._board.add(
                Check(
                    name=name,
                    run=function,
                    critical=critical,
                    timeout_s=health.timeout_s if timeout_s is None else timeout_s,
                    interval_s=usual.interval_s if interval_s is None else interval_s,
                    failures=usual.failures if failures is None else failures,
                    successes=usual.successes if successes is None else successes,
                    groups=groups,
                    affects=affects,
                )
            )
            return function

        return register

    @property
    def sessions(self) -> Sessions:
        """What keeps the sessions, to revoke them.

        Raises:
            ConfigInvalid: None are declared.
        """
        sessions = self._inbound.sessions
        if sessions is None:
            raise ConfigInvalid((f"{self.name} declares no `inbound.session`",))
        return sessions

    def limit_key(self, what: str) -> Callable[[K], K]:
        """Return a decorator that makes a function tell whom a rate limit counts for.

        The function gets the ``Exchange`` and returns a text, a whole number or a UUID, or None
        where nobody is known. The ``user`` also goes before ``inbound.idempotency.caller``: a key
        is the user's who sent it.

        Args:
            what: ``user`` or ``tenant``, as a limit's ``by`` has it.

        Raises:
            ValueError: It is neither, or has a function already.
            PolicyMisused: When it decorates a coroutine function: nothing waits for it.
        """
        if what not in {"user", "tenant"}:
            raise ValueError(f"a limit counts by user or tenant, not by {what!r}")
        if what in self._limit_keys:
            raise ValueError(f"there is a function for {what} already")

        def register(function: K) -> K:
            if is_async(function):
                raise PolicyMisused(
                    f"a function for `limit_key({what!r})` can't be a coroutine: a limit is asked "
                    "before anything may wait; tell who asks by the request alone"
                )
            self._limit_keys[what] = function
            return function

        return register

    def background(self, work: Work, /, *args: object, **kwargs: object) -> None:
        """Begin work that goes on when the request is answered; see ``Background.run``."""
        self._inbound.drain.background.run(work, *args, **kwargs)

    def on_stop(self, close: Close, *, stage: Stage = "clients") -> None:
        """Have something closed when the service stops; see ``Closers.add``."""
        self._inbound.drain.closers.add(close, stage=stage)

    def drain(self) -> None:
        """Turn unready and ask clients to close their connections, for good.

        For servers whose signals the shells can't see, such as gunicorn: call it where the
        server tells that it is about to stop. Elsewhere SIGTERM does it.
        """
        if self._inbound.drain.begin():
            self._inbound.drain.announce_begin()

    def _complain(self) -> None:
        """Say what can't be as it is declared, now that the app has been loaded."""
        limits = self._inbound.limits
        for name, by in () if limits is None else limits.unregistered():
            self._inbound.telling.complain(
                f"mainstay: the limit {name!r} counts by {by}, and no function tells who that is: "
                f"it counts by address until one is decorated with service.limit_key({by!r})\n"
            )


def _forking_rng() -> random.Random:
    """Return a generator of public ids, seeded anew in every process that forks off this one."""
    rng = random.Random()
    os.register_at_fork(after_in_child=rng.seed)
    return rng
