"""The body of a ``with`` or an ``async with`` as one attempt of a policy.

It passes bulkhead, rate limit and breaker, and deadline and attempt timeout bound it. Nothing can
run a body twice or answer in its place: retries, hedges and fallback have no say there.
"""

from asyncio import current_task

from mainstay.core.alarm import Alarm, region_alarm
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, PolicyMisused
from mainstay.core.scope import CURRENT, Scope, enter_region, expiry_s, leave_region, region_scope
from mainstay.service.outbound.course import (
    INFINITE,
    Course,
    admit,
    done_by_s,
    look_around,
    no_time,
)
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.shells import async_waits, sync_waits


class Entry:
    """One pass through the region of a policy: what must be given back at its end.

    Args:
        owner: The policy.
        plan: Its present one.
        place: The id of the frame whose ``with`` it is.

    Attributes:
        scope: The region's, from its begin to its end; None before and after.
    """

    __slots__ = (
        "_expires_s", "_key", "_outer", "_permit", "_until_s", "began_s", "owner", "place", "plan",
        "scope",
    )  # fmt: skip

    def __init__(self, owner: object, plan: Plan, place: int) -> None:
        self.owner = owner
        self.plan = plan
        self.place = place
        self.scope: Scope | None = None
        self._outer = CURRENT.get()
        self._until_s = done_by_s(plan, self._outer)
        self._key: str | None = None
        self._permit = 0
        self._expires_s = INFINITE
        self.began_s = 0.0

    def enter(self) -> None:
        """Pass all parts, and make the region's scope the current one.

        Raises:
            CallRejected: By one of the parts.
            DeadlineExceeded: No time is left to begin.
        """
        plan = self.plan
        if plan.slots is not None and not self._take_slot():
            self._key = sync_waits.wait_for_slot(plan, self._until_s)
        try:
            if plan.limiter is not None:
                took_s = plan.now()
                wait_s = plan.limiter.take(took_s, self._until_s - plan.least_s)
                if wait_s:
                    sync_waits.wait_for_turn(plan, took_s, wait_s, self._until_s)
            self._begin()
            self._set(region_scope(self._expires_s, plan.clock, self))
        except BaseException:
            self._give_up()
            raise

    async def aenter(self) -> None:
        """As ``enter``, in a task; the region's alarm is set."""
        plan = self.plan
        if plan.slots is not None and not self._take_slot():
            self._key = await async_waits.wait_for_slot(plan, self._until_s)
        try:
            if plan.limiter is not None:
                took_s = plan.now()
                wait_s = plan.limiter.take(took_s, self._until_s - plan.least_s)
                if wait_s:
                    await async_waits.wait_for_turn(plan, took_s, wait_s, self._until_s)
            self._begin()
            names = self._retrying()
            self._set(region_alarm(plan.clock, self._expires_s, names, self._outer, self))
        except BaseException:
            self._give_up()
            raise

    def leave(self, error: BaseException | None) -> AttemptTimedOut | DeadlineExceeded | None:
        """Count what happened and give everything back; return what to raise instead, or None."""
        rang = self._unset(error)
        try:
            course = Course(self.plan, None, self._outer, self._until_s, single=True)
            if error is None:
                course.done(self.plan.now(), permit=self._permit, began_s=self.began_s)
            else:
                course.failed(error, self._permit, self.began_s, self._expires_s, rang=rang)
            return course.cut
        finally:
            self._give_slot()

    def is_going_on(self) -> bool:
        """Return whether the task in which the region began may still end it."""
        scope = self.scope
        return isinstance(scope, Alarm) and not scope.task.done()

    def _set(self, scope: Scope) -> None:
        self.scope = scope
        enter_region(scope)

    def _unset(self, error: BaseException | None) -> bool:
        """Make the scope around the region current again; return whether its alarm ended it."""
        scope, self.scope = self.scope, None
        assert scope is not None, "a region that is left was entered"
        now = CURRENT.get()
        if now is scope:
            leave_region(scope, around(scope))
        else:
            # It ends elsewhere than it began, or before one within it: where its scope is still
            # the current one, it bounds nothing any more.
            scope.expires_s = expiry_s(scope.outer, scope.clock)
        if not isinstance(scope, Alarm):
            return False
        # Of a task that is not this one the alarm can't have ended what runs here.
        return scope.silence(error) and scope.task is current_task()

    def _give_up(self) -> None:
        """Give back what was taken before it failed to begin."""
        if self._permit and self.plan.circuit is not None:
            self.plan.circuit.released(self._permit)
        self._give_slot()

    def _begin(self) -> None:
        plan = self.plan
        if plan.budget is not None:
            plan.budget.calls += 1
        self.began_s = plan.now()
        if self._until_s - self.began_s <= plan.least_s:
            raise no_time(plan, self._until_s - self.began_s)
        if plan.share is not None:
            look_around(plan)
        if plan.circuit is not None:
            self._permit = plan.circuit.closed or admit(plan)
        self._expires_s = self._until_s
        if plan.bound is not None:
            self._expires_s = min(self._until_s, self.began_s + plan.bound.timeout_s)

    def _retrying(self) -> tuple[str, ...]:
        return () if self._outer is None else self._outer.retrying

    def _take_slot(self) -> bool:
        slots = self.plan.slots
        assert slots is not None, "only asked with a bulkhead"
        try:
            slots.free.pop()
        except IndexError:
            return False
        return True

    def _give_slot(self) -> None:
        if self.plan.slots is not None:
            self.plan.slots.give_back(self._key)


def around(scope: Scope) -> Scope | None:
    """Return the nearest scope around ``scope`` whose region goes on, or None."""
    outer = scope.outer
    while outer is not None and isinstance(region := getattr(outer, "region", None), Entry):
        if region.scope is not None:
            break
        outer = outer.outer
    return outer


class Entries:
    """The regions of one policy that have begun: how each finds its end, wherever that is.

    A region mostly ends in the context in which it began, whose scope says which it is. But
    generators that hold a ``with`` may be closed from elsewhere: frameworks run the two halves of
    a dependency in two threads, or in two tasks. There the frame whose ``with`` it is tells; and
    where even that is another, any will do that is not over yet: what counts is that as many are
    given back as were taken.
    """

    __slots__ = ("_open",)

    def __init__(self) -> None:
        # As many as are within. A dict for its atomic operations, and its order.
        self._open: dict[Entry, None] = {}

    def add(self, entry: Entry) -> None:
        """Take note of a region that began."""
        self._open[entry] = None

    def ended(self, owner: object, place: int) -> Entry:
        """Return the region that ends, which is now noted as over.

        Args:
            owner: The policy.
            place: The id of the frame that ends its ``with``.

        Raises:
            PolicyMisused: None has begun that is not over.
        """
        entry = getattr(CURRENT.get(), "region", None)
        if isinstance(entry, Entry) and entry.owner is owner and self._close(entry):
            return entry
        for one in list(self._open):
            if one.place == place and self._close(one):
                return one
        # Those first whose task is over, which can't end their region any more.
        for one in sorted(self._open, key=Entry.is_going_on):
            if self._close(one):
                return one
        raise PolicyMisused("a region ends that was not begun, or is over already")

    def _close(self, entry: Entry) -> bool:
        return self._open.pop(entry, entry) is None
