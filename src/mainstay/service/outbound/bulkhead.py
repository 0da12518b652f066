"""The bulkhead: options, and the slots for calls in flight. No clock, no I/O."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from mainstay.service.outbound.quantity import Duration, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulkhead:
    """So many calls may be in flight, so that a slow dependency can't hold everything.

    Attributes:
        limit: At once.
        queue: How many more may wait; 0 fails fast (best practices, bulkhead).
        wait: How long one may wait for its place.
        per_key: At once with the same key, of which ``keyed("tenant")`` tells: one tenant can't
            take it all. None: keys mean nothing. Calls without a key have only ``limit``.
    """

    limit: int = 32
    queue: int = 0
    wait: Duration = 0.1
    per_key: int | None = None

    def __post_init__(self) -> None:
        options = Options("Bulkhead")
        options.whole("limit", self.limit, 1, 100_000)
        options.whole("queue", self.queue, 0, 100_000)
        object.__setattr__(self, "wait", options.seconds("wait", self.wait, minimum=0.0))
        if self.per_key is not None:
            options.whole("per_key", self.per_key, 1, 100_000)
        options.done()


class Waiter(Protocol):
    """A call that waits for a slot, in a thread or on a loop."""

    key: str | None

    def grant(self) -> None:
        """Tell it that it has its slot; from any thread, and at most once."""
        ...


class Slots:
    """The slots of one bulkhead. Shared by tasks, threads and loops.

    A free slot is an item of a deque. Taking and giving one back is one operation of C each, which
    is atomic, so a call that finds a slot takes no lock. Whoever finds none joins the queue under
    the lock and looks again; whoever gives back looks at ``attention`` after that. So either the
    one sees the slot, or the other sees the waiter.

    Attributes:
        options: As given.
        free: Taken from by ``pop``; empty where slots are counted by key, which needs the lock.
        keyed: Whether slots are counted by key: then ``give`` takes one back, and else an append.
        attention: Whether ``settle`` must be called after an append.
    """

    __slots__ = (
        "_by_key", "_debt", "_keyed_free", "_lock", "_waiting", "attention", "free", "keyed",
        "options",
    )  # fmt: skip

    def __init__(self, options: Bulkhead) -> None:
        self._lock = threading.Lock()
        # Made when somebody waits: an empty one holds half a kilobyte.
        self._waiting: deque[Waiter] | None = None
        # Slots too many after a limit was lowered: so many are not given on when they come back.
        self._debt = 0
        self._by_key: dict[str, int] = {}
        self.keyed = options.per_key is not None
        self._keyed_free = options.limit if self.keyed else 0
        self.free: deque[None] = deque([None] * (0 if self.keyed else options.limit))
        self.attention = False
        self.options = options

    def renew_lock(self) -> None:
        """Take a new lock, for a child process; who waited does not exist there."""
        self._lock = threading.Lock()
        self._waiting = None

    def join(self, waiter: Waiter) -> bool:
        """Take a slot for ``waiter``, or queue it; ``grant`` is called when it has one.

        Returns:
            False: the queue is full.
        """
        with self._lock:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(waiter)
            # First told, then looked: a slot that comes back in between is seen by one of the two.
            self.attention = True
            self._hand_on()
            if len(self._waiting) <= self.options.queue or self._waiting[-1] is not waiter:
                return True
            self._waiting.pop()
            self._look()
            return False

    def leave(self, waiter: Waiter) -> bool:
        """Take a waiter out of the queue; False: it has a slot already, and must give it back."""
        with self._lock:
            if self._waiting is None or waiter not in self._waiting:
                return False
            self._waiting.remove(waiter)
            self._look()
            return True

    def give(self, key: str | None) -> None:
        """Give back a slot that is counted by key."""
        with self._lock:
            self._keyed_free += 1
            if key is not None:
                self._by_key[key] -= 1
                if not self._by_key[key]:
                    del self._by_key[key]
            self._hand_on()

    def give_back(self, key: str | None) -> None:
        """Give back a slot of any kind."""
        if self.keyed:
            self.give(key)
            return
        self.free.append(None)
        if self.attention:
            self.settle()

    def hold(self, key: str | None) -> None:
        """Take a slot more, though none may be free, for a call that gives its own back at once.

        So an answer that is still read when its call returns keeps its place: hold it before the
        return, and give it back (``give_back``) when all is read. In between, nobody else gets it.
        """
        with self._lock:
            if self.keyed:
                self._keyed_free -= 1
                if key is not None:
                    self._by_key[key] = self._by_key.get(key, 0) + 1
            else:
                self._debt += 1
                self._look()

    def settle(self) -> None:
        """Hand free slots on to those that wait."""
        with self._lock:
            self._hand_on()

    def reconfigure(self, options: Bulkhead) -> None:
        """Take a new limit; calls in flight keep their slots, beyond a lower limit too."""
        with self._lock:
            assert (options.per_key is None) == (self.options.per_key is None)
            more = options.limit - self.options.limit
            self.options = options
            if options.per_key is not None:
                self._keyed_free += more
            elif more > 0:
                paid = min(more, self._debt)
                self._debt -= paid
                self.free.extend([None] * (more - paid))
            else:
                self._debt -= more
            self._hand_on()

    def in_flight(self) -> int:
        """Return how many slots are taken."""
        if self.keyed:
            return self.options.limit - self._keyed_free
        return self.options.limit + self._debt - len(self.free)

    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._waiting or ())

    def _take(self, key: str | None) -> bool:
        per_key = self.options.per_key
        if per_key is None:
            try:
                self.free.pop()
            except IndexError:
                return False
            return True
        if self._keyed_free <= 0:
            return False
        if key is not None:
            # As many keys as calls in flight: bounded by the limit.
            held = self._by_key.get(key, 0)
            if held >= per_key:
                return False
            self._by_key[key] = held + 1
        self._keyed_free -= 1
        return True

    def _hand_on(self) -> None:
        """Pay the debt, then give slots to the waiters, first come, first served.

        A waiter whose key has all it may is passed over, or it would hold up all behind it.
        """
        while self._debt:
            try:
                self.free.pop()
            except IndexError:
                break
            self._debt -= 1
        passed: list[Waiter] = []
        while self._waiting:
            waiter = self._waiting.popleft()
            if self._take(waiter.key):
                waiter.grant()
                continue
            passed.append(waiter)
            if self.options.per_key is None or self._keyed_free <= 0:
                break
        if self._waiting is not None:
            self._waiting.extendleft(reversed(passed))
        self._look()

    def _look(self) -> None:
        self.attention = bool(self._waiting) or self._debt > 0 or self.options.per_key is not None
