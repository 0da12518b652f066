"""The body of a ``with`` or an ``async with`` as one attempt of a policy.

It passes bulkhead, rate limit and breaker, and deadline and attempt timeout bound it. Nothing can
run a body twice or answer in its place: retries, hedges and fallback have no say there.
"""

from mainstay.core.alarm import Alarm, region_alarm
from mainstay.core.deadline import CURRENT, Scope, region_scope
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, PolicyMisused
from mainstay.service.outbound import async_waits, sync_waits
from mainstay.service.outbound.course import (
    INFINITE,
    Course,
    admit,
    done_by_s,
    look_around,
    no_time,
)
from mainstay.service.outbound.plan import Plan


class Entry:
    """One pass through the region of a policy: what must be given back at its end."""

    __slots__ = ("_expires_s", "_key", "_outer", "_permit", "_until_s", "began_s", "owner", "plan")

    def __init__(self, owner: object, plan: Plan) -> None:
        self.owner = owner
        self.plan = plan
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
        except BaseException:
            self._give_slot()
            raise
        CURRENT.set(region_scope(self._expires_s, plan.clock, self))

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
        except BaseException:
            self._give_slot()
            raise
        CURRENT.set(region_alarm(plan.clock, self._expires_s, self._retrying(), self._outer, self))

    def leave(
        self, error: BaseException | None, alarm: Alarm | None
    ) -> AttemptTimedOut | DeadlineExceeded | None:
        """Count what happened and give everything back; return what to raise instead, or None."""
        rang = alarm is not None and alarm.silence(error)
        try:
            course = Course(self.plan, None, self._outer, self._until_s, single=True)
            if error is None:
                course.done(self.plan.now(), permit=self._permit, began_s=self.began_s)
            else:
                course.failed(error, self._permit, self.began_s, self._expires_s, rang=rang)
            return course.cut
        finally:
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


def current_entry(owner: object) -> tuple[Entry, Scope]:
    """Make the scope around the owner's region current again; return the region's entry and scope.

    Raises:
        PolicyMisused: Regions are not left in the reverse order, and where they were begun.
    """
    scope = CURRENT.get()
    entry = getattr(scope, "region", None)
    if scope is None or not isinstance(entry, Entry) or entry.owner is not owner:
        raise PolicyMisused("regions must be left in the reverse order, and where they were begun")
    CURRENT.set(scope.outer)
    return entry, scope
