"""``Policy``: what stands between a caller and one dependency, in each form that it is used."""

import functools
import os
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar, cast

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import PolicyMisused
from mainstay.core.events import Listeners
from mainstay.service.outbound.attempt_timeout import AttemptTimeout
from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.breaker.control import BreakerControl, tell_mode
from mainstay.service.outbound.breaker.shared import Share, SharedBreakerState
from mainstay.service.outbound.bulkhead import Bulkhead
from mainstay.service.outbound.clients import Clients
from mainstay.service.outbound.fallback import Fallback, LastGood
from mainstay.service.outbound.fault import SteadyFault, injected
from mainstay.service.outbound.forked import follow_forks
from mainstay.service.outbound.hedge import Hedge
from mainstay.service.outbound.plan import (
    FaultSource,
    Parts,
    Plan,
    check_parts,
    compile_plan,
    for_once,
    renew_locks,
    with_fallback,
    with_fault,
    with_free_slots,
)
from mainstay.service.outbound.quantity import Duration
from mainstay.service.outbound.ratelimit import RateLimit
from mainstay.service.outbound.retry.retry import Retry
from mainstay.service.outbound.shells.async_shell import aguard
from mainstay.service.outbound.shells.misuse import is_async, refuse_unfit
from mainstay.service.outbound.shells.region import Entries, Entry
from mainstay.service.outbound.shells.specialised import specialised
from mainstay.service.outbound.shells.sync_shell import guard
from mainstay.service.outbound.stats import Stats, stats_of
from mainstay.service.outbound.total import Deadline

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

# One for all policies without a seed: each generator holds 2.5 KB. Drawing is one atomic call.
_CHANCE = Random()
os.register_at_fork(after_in_child=_CHANCE.seed)


class Policy(Clients):
    """An ordered composition of parts, any subset of them, around calls to one dependency.

    Outer to inner: fallback, deadline, bulkhead, rate limit, retry with its budget, breaker,
    attempt timeout, hedge. One policy serves tasks, threads and event loops alike::

        payments = Policy(name="payments", deadline=Deadline("2s"), retry=Retry())

        payments.call(charge, order)             # a function
        await payments.acall(charge, order)      # a coroutine function
        @payments                                # either, as a decorator
        with payments: ...                       # one attempt; `async with` too

    Args:
        name: For errors, events and metrics; the dependency's, where there is one.
        fallback: What stands in for an answer.
        deadline: How long the whole call may take.
        bulkhead: How many calls may be in flight.
        rate_limit: How often it may be called.
        retry: Whether and when to try again.
        breaker: When to stop calling.
        attempt_timeout: How long one attempt may take.
        hedge: A second attempt beside a slow first one.
        seed: Makes jitter repeatable; None: not.
        clock: Where time comes from. One with a ``sleep`` of its own is slept by, too.
        events: Who hears what is decided; None: a list of its own.
        shared: Where the breaker tells others what it found out, and hears of them; None: alone.

    Attributes:
        plan: The parts, compiled. Replaced as a whole by ``update``.

    Raises:
        ConfigInvalid: A part is not what it should be.
    """

    __slots__ = ("__weakref__", "_entries", "_faults", "_lock", "_once", "_views", "plan")

    def __init__(
        self,
        *,
        name: str = "policy",
        fallback: Fallback | None = None,
        deadline: Deadline | None = None,
        bulkhead: Bulkhead | None = None,
        rate_limit: RateLimit | None = None,
        retry: Retry | None = None,
        breaker: Breaker | None = None,
        attempt_timeout: AttemptTimeout | None = None,
        hedge: Hedge | None = None,
        seed: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
        events: Listeners | None = None,
        shared: SharedBreakerState | None = None,
    ) -> None:
        parts = Parts(
            fallback=fallback,
            deadline=deadline,
            bulkhead=bulkhead,
            rate_limit=rate_limit,
            retry=retry,
            breaker=breaker,
            attempt_timeout=attempt_timeout,
            hedge=hedge,
        )
        check_parts(parts, name)
        self._lock = threading.Lock()
        self._once: Policy | None = None
        self._entries: Entries | None = None
        self._faults: tuple[FaultSource, ...] = ()
        follow_forks(self)
        self._views: weakref.WeakSet[PolicyView] | None = None
        self.plan = compile_plan(
            parts,
            name=name,
            clock=clock,
            rng=_CHANCE if seed is None else Random(seed),
            events=Listeners() if events is None else events,
            share=None if shared is None else Share(shared),
        )

    @property
    def name(self) -> str:
        """As given."""
        return self.plan.name

    @property
    def events(self) -> Listeners:
        """Who hears what is decided."""
        return self.plan.events

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function through the policy.

        Raises:
            CallRejected: A part rejected it: nothing was sent.
            DeadlineExceeded: No time was left to begin.
            PolicyMisused: It is a coroutine function, or the policy hedges.
            Exception: What the function raised, when there is no further attempt.
        """
        return specialised(guard, self.plan)(self, fn)(*args, **kwargs)

    def acall(
        self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]:
        """Return a coroutine that awaits a coroutine function through the policy.

        Any: what a coroutine yields is its loop's business.

        Raises:
            CallRejected: A part rejected it: nothing was sent.
            DeadlineExceeded: The deadline passed.
            AttemptTimedOut: The last attempt took too long.
            Exception: What the function raised, when there is no further attempt.
        """
        return specialised(aguard, self.plan)(self, fn)(*args, **kwargs)

    def __call__(self, fn: F) -> F:
        """Return ``fn`` with the policy around it: the decorator.

        Takes functions, methods, coroutine functions and static methods.

        Raises:
            PolicyMisused: A generator: it works while it is iterated, which no call can guard; a
                class method, which must be the outer decorator; a class.
        """
        if isinstance(fn, staticmethod):
            return cast("F", staticmethod(self(fn.__func__)))
        refuse_unfit(fn)
        shell = specialised(aguard if is_async(fn) else guard, self.plan)
        return cast("F", functools.wraps(fn)(shell(self, fn)))

    def __enter__(self) -> Self:
        entry = Entry(self, self.plan, _caller())
        entry.enter()
        self._entries_made().add(entry)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entries_made().ended(self, _caller()).leave(error)

    async def __aenter__(self) -> Self:
        entry = Entry(self, self.plan, _caller())
        await entry.aenter()
        self._entries_made().add(entry)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        instead = self._entries_made().ended(self, _caller()).leave(error)
        if instead is not None:
            raise instead from error

    @property
    def breaker(self) -> BreakerControl:
        """The operator's hand on the circuit breaker.

        Raises:
            PolicyMisused: The policy has none.
        """
        return BreakerControl(self.plan)

    @property
    def once(self) -> "Policy":
        """This policy, for calls that must not be made twice, such as a POST without a key.

        All state is shared. It tries again only what certainly never left, and never hedges.
        """
        if self._once is None:
            self._once = self.derived(for_once)
        return self._once

    def with_fallback(self, fallback: Fallback) -> "Policy":
        """Return this policy with another fallback; all else is shared."""
        # Made once, and not with each plan: a change of the options must not forget them.
        last_good = LastGood(fallback) if fallback.last_good else None
        return self.derived(lambda plan: with_fallback(plan, fallback, last_good))

    def derived(self, derive: Callable[[Plan], Plan]) -> "Policy":
        """Return a policy that shares all state with this one and runs a plan made from its plan.

        It follows every change of this one, for as long as somebody holds it.

        Args:
            derive: From this one's plan to the other's; pure, and called again at each change.
        """
        with self._lock:
            view = PolicyView(self.plan, derive)
            if self._views is None:
                self._views = weakref.WeakSet()
            self._views.add(view)
        return view

    def update(self, parts: Parts) -> None:
        """Take other options, at once and for calls that begin from now on.

        What is counted stays where it still means the same: the circuit's state, windows of the
        same shape, slots in use, the rate's turn, the budget and last good answers.

        Raises:
            ConfigInvalid: The parts do not fit together; then nothing has changed.
        """
        check_parts(parts, self.name)
        with self._lock:
            old = self.plan
            mode = None if old.circuit is None else old.circuit.mode
            self._adopt(
                compile_plan(
                    parts,
                    name=old.name,
                    clock=old.clock,
                    rng=old.rng,
                    events=old.events,
                    share=old.share,
                    old=old,
                )
            )
        if mode is not None:
            tell_mode(self.plan, mode)

    @contextmanager
    def fault(
        self,
        source: FaultSource | None = None,
        *,
        error_rate: float | str = 0.0,
        delay_s: Duration = 0.0,
        error: Callable[[], Exception] = injected,
        seed: int = 0,
    ) -> Iterator[None]:
        """Make attempts fail or wait, within: for tests and exercises.

        It holds for every caller of this policy, not only for the code within. Of nested ones the
        inner holds, and when it ends, the outer again.

        Args:
            source: Says what befalls each attempt, such as ``mainstay.testing.Faults``; None: as
                the other arguments say.
            error_rate: Share of the attempts that fail, from 0 to 1.
            delay_s: What each waits first.
            error: Makes the error of one that fails; by default ``FaultInjected``.
            seed: Which of them fail.

        Raises:
            ConfigInvalid: One of them is not what it should be.
        """
        if source is None:
            source = SteadyFault(error_rate=error_rate, delay_s=delay_s, error=error, seed=seed)
        with self._lock:
            self._faults = (*self._faults, source)
            self._adopt(with_fault(self.plan, source))
        try:
            yield
        finally:
            with self._lock:
                # The last of them, where the same source was given twice.
                at = max(at for at, one in enumerate(self._faults) if one is source)
                self._faults = self._faults[:at] + self._faults[at + 1 :]
                self._adopt(with_fault(self.plan, self._present_fault()))

    def renew_locks(self) -> None:
        """Take new locks in a child process; see ``forked``."""
        self._lock = threading.Lock()
        renew_locks(self.plan)

    def free_places(self) -> None:
        """Free the slots of the parent's threads in a child process; see ``forked``."""
        self._adopt(with_free_slots(self.plan))

    def stats(self) -> Stats:
        """Return a snapshot of counts and states."""
        return stats_of(self.plan)

    def _entries_made(self) -> Entries:
        """Return the regions that have begun; made for the first, since most policies have none."""
        entries = self._entries
        if entries is None:
            with self._lock:
                entries = self._entries = self._entries or Entries()
        return entries

    def _present_fault(self) -> FaultSource | None:
        return self._faults[-1] if self._faults else None

    def _adopt(self, plan: Plan) -> None:
        self.plan = plan
        for view in list(self._views or ()):
            view.follow(plan)


class PolicyView(Policy):
    """A policy that shares all state with the one that it was made from, and follows its changes.

    Args:
        plan: The other's.
        derive: From the other's plan to its own.
    """

    __slots__ = ("_derive", "_others_fault")

    def __init__(self, plan: Plan, derive: Callable[[Plan], Plan]) -> None:
        self._derive = derive
        self._lock = threading.Lock()
        self._once = None
        self._entries = None
        self._faults = ()
        follow_forks(self)
        self._views = None
        self.plan = derive(plan)
        self._others_fault = self.plan.fault

    def follow(self, plan: Plan) -> None:
        """Take over a change of the other's plan."""
        made = self._derive(plan)
        self._others_fault = made.fault
        self._adopt(with_fault(made, self._present_fault()) if self._faults else made)

    def _present_fault(self) -> FaultSource | None:
        # One of its own goes before that of the policy that it follows.
        return self._faults[-1] if self._faults else self._others_fault

    def free_places(self) -> None:
        """Do nothing: the places are those of the policy that this one follows."""

    def update(self, parts: Parts) -> NoReturn:
        """Refuse: options belong to the policy that this one follows."""
        del parts
        raise PolicyMisused("a view follows the policy that it was made from: update that one")


def _caller() -> int:
    """Return the id of the frame whose ``with`` begins or ends: a generator's stays the same."""
    return id(sys._getframe(2))  # noqa: SLF001  Public but for its name; ``inspect`` uses it, too.
