"""The state machine of the circuit breaker. No clock, no I/O.

    closed ──failures, or a share of failed or slow calls──▶ open
    open ──after the open time──▶ half-open: a counted number of probes
    half-open ──enough good probes──▶ closed        ──a bad one──▶ open, for longer

Every closed period has a serial number, its generation, and every probe one of its own. A call
takes that number along as its permit and hands it back with its outcome. A number that is not
known any more belongs to a past period, or to a probe whose lease ended: it changes nothing.
"""

import math
import threading
from dataclasses import dataclass
from enum import Enum

from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.breaker.window import CountWindow, TimeWindow, Window
from mainstay.spec.kinds.units import ShareOfCalls

REFUSED = 0
"""The permit of a call that may not leave."""

UNCOUNTED = -1
"""The permit of a call that may leave and whose outcome changes nothing."""

_GROWTH_EXPONENT_MAX = 35
"""So many doublings take the shortest open time, 1 ms, past the longest, 366 days; a float would
overflow after a thousand."""


class State(Enum):
    """What the circuit is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Mode(Enum):
    """What the circuit does about it."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    DISABLED = "disabled"
    FORCED_OPEN = "forced_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition of the circuit.

    Attributes:
        was: The state until now.
        state: The state from now on.
    """

    was: State
    state: State


class _Rule:
    """A share of calls over a window that opens the circuit."""

    __slots__ = ("_share", "window")

    def __init__(self, share: ShareOfCalls, window: Window | None) -> None:
        self._share = share
        self.window = window or _window(share)

    def broken(self) -> bool:
        share, calls = self._share, self.window.calls
        # A rounding error of 0.3 * 10 is not a call.
        return calls >= share.calls_min and self.window.hits >= share.share * calls - 1e-9


def _window(share: ShareOfCalls) -> Window:
    if share.window_s is not None:
        return TimeWindow(share.window_s)
    assert share.window_calls is not None, "a share of calls has one window"
    return CountWindow(share.window_calls)


class Circuit:
    """The state of one breaker. Shared by tasks, threads and loops.

    What a call reads before it leaves, and after a success that changes nothing, is one attribute
    each, read without the lock; every change is made under the lock, which is never held during a
    call. An attribute read while another thread changes it is as if the call had come a moment
    earlier, which its permit shows.

    Attributes:
        options: As given.
        closed: The permit of a call while the circuit is closed; 0 means: ask ``admit``.
        rejects_until_s: Every call before this is refused; so ``admit`` need not be asked.
        heeds_success: Whether a success would change anything: then tell it.
        quiet: The window in which a success may be counted without the lock, as one of its misses,
            while nothing else would come of it; None: tell it.
        timed: Whether it matters how long a call took.
        state: What the circuit is.
        mode: What it does about it.
    """

    __slots__ = (
        "_failed", "_first_probe", "_generation", "_good", "_leases", "_lock", "_open_until_s",
        "_openings", "_rate", "_serial", "_slow", "closed", "heeds_success", "mode", "options",
        "quiet", "rejects_until_s", "state", "timed",
    )  # fmt: skip

    def __init__(self, options: Breaker) -> None:
        self._lock = threading.Lock()
        self._serial = 1
        self._generation = 1
        self._failed = 0
        self._good = 0
        self._openings = 0
        self._open_until_s = 0.0
        self._first_probe = REFUSED
        # Probe -> when its lease ends. At most ``probes`` of them.
        self._leases: dict[int, float] = {}
        self._rate: _Rule | None = None
        self._slow: _Rule | None = None
        self.quiet: TimeWindow | None = None
        self.state = State.CLOSED
        self.mode = Mode.SHADOW if options.shadow else Mode.ENFORCE
        self.options = options
        self._take(options)

    def renew_lock(self) -> None:
        """Take a new lock, for a child process, and forget the probes, whose threads are gone."""
        self._lock = threading.Lock()
        self._leases.clear()

    def admit(self, now_s: float) -> int:
        """Return the permit for a call, REFUSED, or UNCOUNTED: for a circuit that is not closed.

        The open time being over, the first caller begins the half-open state.
        """
        with self._lock:
            if self.mode is Mode.DISABLED:
                return UNCOUNTED
            if self.mode is Mode.FORCED_OPEN:
                return REFUSED
            if self.state is State.CLOSED:
                return self._generation
            if self.state is State.OPEN and now_s >= self._open_until_s:
                self.state = State.HALF_OPEN
                self._good = 0
                self._look()
                # All leases ended when it opened, so this probe is let through.
                self._first_probe = self._serial + 1
            if self.state is State.HALF_OPEN:
                return self._probe(now_s)
            return self._refused()

    def half_opened(self, permit: int) -> Change | None:
        """Return the transition that the probe with this permit began, or None: it began none."""
        if permit <= 0 or permit != self._first_probe:
            return None
        return Change(was=State.OPEN, state=State.HALF_OPEN)

    def refuses(self, permit: int) -> bool:
        """Return whether a call with this permit would be rejected but for the shadow mode."""
        return permit == UNCOUNTED and self.mode is Mode.SHADOW

    def succeeded(self, permit: int, *, now_s: float, took_s: float) -> Change | None:
        """Count a success; return the transition it made, or None."""
        with self._lock:
            if permit == self._generation and self.state is State.CLOSED:
                self._failed = 0
                rate, slow = self._rate, self._slow
                if rate is not None:
                    rate.window.record(False, now_s)  # noqa: FBT003  By position: for every call.
                if slow is not None:
                    slow.window.record(self._is_slow(took_s), now_s)
                elif rate is None or rate.window.hits == 0:
                    # The most frequent case of all, and nothing to look at.
                    self._heed()
                    return None
                return self._open(now_s) if self._broken() else None
            if self._leases.pop(permit, None) is None:
                return None
            if self._is_slow(took_s):
                return self._open(now_s)
            self._good += 1
            if self._good < self.options.successes:
                return None
            return self._close()

    def failed(self, permit: int, *, now_s: float, took_s: float) -> Change | None:
        """Count a failure; return the transition it made, or None."""
        with self._lock:
            if permit == self._generation and self.state is State.CLOSED:
                self._failed += 1
                self.quiet = None
                self.heeds_success = True
                self._count(failed=True, now_s=now_s, took_s=took_s)
                return self._open(now_s) if self._broken() else None
            if self._leases.pop(permit, None) is None:
                return None
            return self._open(now_s)

    def released(self, permit: int) -> None:
        """Give back the permit of a call that says nothing: cancelled, or its caller's mistake."""
        if permit != self.closed:
            with self._lock:
                self._leases.pop(permit, None)

    def retry_after_s(self, now_s: float) -> float | None:
        """Return the seconds until a call may be let through, or None where nobody knows."""
        if self.mode is Mode.FORCED_OPEN:
            return None
        if self.state is State.HALF_OPEN:
            with self._lock:
                busy = sum(now_s < ends_s for ends_s in self._leases.values())
            # A probe may end at once, or with its lease.
            return None if busy >= self.options.probes else 0.0
        return max(0.0, self._open_until_s - now_s)

    def set_mode(self, mode: Mode) -> Mode:
        """Change what the circuit does, and return what it did; counts and state go on."""
        with self._lock:
            was, self.mode = self.mode, mode
            self._look()
            return was

    def reset(self) -> Change | None:
        """Close the circuit and forget what was counted; None where it was closed already."""
        with self._lock:
            change = self._close()
            return None if change.was is State.CLOSED else change

    def adopt(self, *, open_until_s: float | None, now_s: float) -> Change | None:
        """Take over what another process found out; see ``shared``.

        Args:
            open_until_s: Open until then, monotonic; None: the circuit is closed there.
            now_s: The present time: what was open until before is no news.
        """
        with self._lock:
            if open_until_s is None:
                return None if self.state is State.CLOSED else self._close()
            if open_until_s <= now_s or self.state is State.OPEN:
                return None
            return self._become_open(open_until_s)

    def opened_until_s(self) -> float | None:
        """Return until when the circuit is open, monotonic, or None where it is not."""
        return self._open_until_s if self.state is State.OPEN else None

    def reconfigure(self, options: Breaker) -> None:
        """Take new options. The state stays; a window's counts do where it measures the same."""
        with self._lock:
            if options.shadow != self.options.shadow and self.mode in {Mode.ENFORCE, Mode.SHADOW}:
                self.mode = Mode.SHADOW if options.shadow else Mode.ENFORCE
            self._take(options)

    def counts(self) -> dict[str, int | str]:
        """Return the present counts, for people and tests."""
        with self._lock:
            counts: dict[str, int | str] = {
                "state": self.state.value,
                "mode": self.mode.value,
                "failures_in_a_row": self._failed,
                "probes_in_flight": len(self._leases),
            }
            for name, rule in (("failure", self._rate), ("slow", self._slow)):
                if rule is not None:
                    rule.window.fold()
                    counts[f"{name}_window_calls"] = rule.window.calls
                    counts[f"{name}_window_hits"] = rule.window.hits
            return counts

    def _take(self, options: Breaker) -> None:
        self._rate = _rule(options.rate, self._rate, self.options.rate)
        self._slow = _rule(options.slow_rate, self._slow, self.options.slow_rate)
        self.options = options
        self.timed = self._rate is not None or self._slow is not None
        self._look()

    def _probe(self, now_s: float) -> int:
        options = self.options
        for probe, ends_s in list(self._leases.items()):
            if now_s >= ends_s:
                del self._leases[probe]
        if len(self._leases) >= options.probes:
            return self._refused()
        self._serial += 1
        self._leases[self._serial] = now_s + float(options.lease)
        return self._serial

    def _refused(self) -> int:
        return UNCOUNTED if self.mode is Mode.SHADOW else REFUSED

    def _count(self, *, failed: bool, now_s: float, took_s: float) -> None:
        if self._rate is not None:
            self._rate.window.record(failed, now_s)
        if self._slow is not None:
            self._slow.window.record(self._is_slow(took_s), now_s)

    def _is_slow(self, took_s: float) -> bool:
        return self.options.slow is not None and took_s > float(self.options.slow)

    def _broken(self) -> bool:
        rate, slow = self._rate, self._slow
        return (
            self._failed >= self.options.failures
            or (rate is not None and rate.window.hits > 0 and rate.broken())
            or (slow is not None and slow.window.hits > 0 and slow.broken())
        )

    def _open(self, now_s: float) -> Change:
        exponent = min(self._openings, _GROWTH_EXPONENT_MAX)
        open_s = min(float(self.options.open_max), float(self.options.open) * 2.0**exponent)
        return self._become_open(now_s + open_s)

    def _become_open(self, until_s: float) -> Change:
        was, self.state = self.state, State.OPEN
        self._openings += 1
        self._open_until_s = until_s
        self._leases.clear()
        self._look()
        return Change(was=was, state=State.OPEN)

    def _close(self) -> Change:
        was, self.state = self.state, State.CLOSED
        # A new generation: calls that began before say nothing about this period.
        self._serial += 1
        self._generation = self._serial
        self._failed = self._openings = 0
        self._open_until_s = 0.0
        self._leases.clear()
        for rule in (self._rate, self._slow):
            if rule is not None:
                rule.window.clear()
        self._look()
        return Change(was=was, state=State.CLOSED)

    def _look(self) -> None:
        """Set what calls read without the lock."""
        self.rejects_until_s = -math.inf
        if self.mode is Mode.FORCED_OPEN:
            self.rejects_until_s = math.inf
        elif self.mode is Mode.ENFORCE and self.state is State.OPEN:
            self.rejects_until_s = self._open_until_s
        if self.mode is Mode.DISABLED:
            self.closed = UNCOUNTED
        elif self.mode is Mode.FORCED_OPEN or self.state is not State.CLOSED:
            self.closed = REFUSED
        else:
            self.closed = self._generation
        self._heed()

    def _heed(self) -> None:
        """Set what is to be done about a success, as far as that is known without the lock."""
        self.quiet = None
        self.heeds_success = True
        rate = self._rate
        if self.state is not State.CLOSED or self._failed or self._slow is not None:
            return
        if rate is None or rate.window.ignores_misses:
            self.heeds_success = False
        elif isinstance(rate.window, TimeWindow) and not rate.window.hits:
            self.quiet = rate.window


def _rule(
    share: str | ShareOfCalls | None, kept: _Rule | None, was: str | ShareOfCalls | None
) -> _Rule | None:
    """Return the rule for ``share``, on the window of ``kept`` where that measures the same."""
    if share is None:
        return None
    assert isinstance(share, ShareOfCalls), "options are read when they are made"
    same = (
        isinstance(was, ShareOfCalls)
        and was.window_s == share.window_s
        and was.window_calls == share.window_calls
    )
    return _Rule(share, kept.window if kept is not None and same else None)
