"""The adaptive limit: a gradient on latency. No clock, no lock, no I/O.

While more in flight means more done, the latency stays; past that point it grows with what is in
flight. So the limit follows the ratio of the latency with little in flight to the present one.

Sources: L. Brakmo and others, "TCP Vegas", SIGCOMM 1994 (the ratio); Netflix, concurrency-limits,
Gradient2Limit (windows, tolerance, smoothing, and no change while less than half of the limit is
used, since then the limit is not what makes the latency); Envoy, adaptive concurrency filter (the
square root as headroom, and a baseline that is measured again at a low limit now and then).
"""

import math
from collections.abc import Callable
from random import Random

from mainstay.spec.shed import Shed

WINDOW_S = 0.1
"""The least time between two decisions, as in Envoy."""

SAMPLES_MIN = 20
"""Answers for a decision: the mean of so many is rarely off by more than a third by chance."""

_TOLERANCE = 1.5
"""The latency may be so many times the baseline (Gradient2)."""

_SHRINK_MIN = 0.5
"""The least gradient: one window of slow answers at most halves the limit (Gradient2, Envoy)."""

_SMOOTHING = 0.5
"""What a new limit weighs. Gradient2 has 0.2 for windows of 1 s; ours are ten times as many."""

_CLIP = 8.0
"""A sample counts at most as so many baselines: one report among pages is no overload."""

_LATENCY_S_MIN = 1e-6

_FALL, _RISE = 0.2, 0.1
"""What a window weighs in the baseline, below and above it."""

_PROBE_EVERY_S = 10.0
_PROBE_EVERY_LATENCIES = 200.0
"""A probe costs a few latencies of half the work, so this bounds its cost to about 2 %."""

_PROBE_SOON_S = 1.0
_PROBE_SOON_LATENCIES = 20.0
"""The same where the limit was halved since the last measurement, which may have been wrong."""

_PROBE_BACKOFF_MAX = 32.0
"""A probe that found nothing makes the next one wait twice as long, up to so many times."""

_PROBE_JITTER = 0.15
"""Replicas that began together don't probe together (Envoy's jitter)."""

_PROBE_SAMPLES = 10
_PROBE_LIMIT_MIN = 2
_PROBE_LATENCIES_MAX = 10.0
_PROBE_S_MAX = 5.0

Strain = Callable[[float], str | None]
"""Returns which bound of the machine is reached at a time, or None."""


class Limiter:
    """The limit of one service. Whoever calls holds a lock.

    Args:
        options: Bounds of the limit, and what it begins with.
        rng: Spreads the probes.

    Attributes:
        limit: Requests that may be in flight; a fraction is what it has grown so far.
        baseline_s: Latency with little in flight; 0 while nothing is known.
        latency_s: Mean of the last window.
        reason: Why the limit last changed; see ``LimitChanged``.
        pressed: Whether a request found no room since the last decision; set from outside.
        probing: Whether the baseline is being measured, at ``probe_limit``.
    """

    __slots__ = (
        "_backoff", "_clip_s", "_count", "_decides_s", "_from_s", "_max", "_measured_limit",
        "_measured_s", "_min", "_peak", "_probe_ends_s", "_probe_every", "_rng", "_total_s",
        "baseline_s", "latency_s", "limit", "pressed", "probe_limit", "probing", "reason",
    )  # fmt: skip

    def __init__(self, options: Shed, rng: Random) -> None:
        self._min, self._max = float(options.limit_min), float(options.limit_max)
        self._rng = rng
        self.limit = float(options.limit)
        self.baseline_s = 0.0
        self.latency_s = 0.0
        self.reason = "room"
        self.pressed = False
        self.probing = False
        self.probe_limit = 0
        self._probe_ends_s = math.inf
        self._probe_every = self._jitter()
        self._backoff = 1.0
        # Never: the first window under pressure asks for a probe.
        self._measured_s = -math.inf
        self._measured_limit = self.limit
        self._clip_s = math.inf
        self._decides_s = -math.inf
        self._from_s = -math.inf
        self._count = 0
        self._total_s = 0.0
        self._peak = 0

    def sample(self, latency_s: float, in_flight: int, since_s: float, now_s: float) -> bool:
        """Note an answer; True: ``decide`` is due.

        Args:
            latency_s: From its admission until its answer began.
            in_flight: Requests in flight, itself included.
            since_s: When it was admitted.
            now_s: The present time.
        """
        if since_s >= self._from_s:
            self._count += 1
            # Not min() and max(), which would double the cost of this.
            self._total_s += latency_s if latency_s < self._clip_s else self._clip_s  # noqa: FURB136
            if in_flight > self._peak:  # noqa: PLR1730
                self._peak = in_flight
        return now_s >= self._decides_s

    def decide(self, strain: Strain, in_flight: int, now_s: float) -> None:
        """Set the limit by what was sampled, where there is enough of it.

        Args:
            strain: The second opinion, asked once a window: says ``cpu`` or ``loop-lag`` where
                that is at its bound.
            in_flight: Requests in flight.
            now_s: The present time.
        """
        if self.probing:
            self._go_on_probing(in_flight, now_s)
        elif self._count >= SAMPLES_MIN:
            self._close_window(strain, now_s)
        else:
            self._decides_s = now_s + WINDOW_S / 4

    def _close_window(self, strain: Strain, now_s: float) -> None:
        self.latency_s = mean_s = self._mean_s()
        used = 2 * self._peak >= self.limit
        if self.baseline_s == 0.0:
            self._set_baseline(mean_s)
        elif mean_s < self.baseline_s:
            self._set_baseline(self.baseline_s + (mean_s - self.baseline_s) * _FALL)
        elif not used:
            self._set_baseline(self.baseline_s + (mean_s - self.baseline_s) * _RISE)
        if used:
            self.limit, self.reason = self._next_limit(mean_s, strain(now_s))
            if self.pressed and self._is_probe_due(now_s):
                self._begin_probe(now_s)
        else:
            # With so little in flight this was a measurement, too.
            self._measured(now_s)
        self.pressed = False
        self._begin_window(now_s)

    def _next_limit(self, mean_s: float, strain: str | None) -> tuple[float, str]:
        tolerance = _TOLERANCE if strain is None else 1.0
        gradient = max(_SHRINK_MIN, min(1.0, tolerance * self.baseline_s / mean_s))
        headroom = max(1.0, math.sqrt(self.limit) / 2)
        if strain is not None and gradient < 1.0:
            headroom = 0.0
        wanted = self.limit * gradient + headroom
        reason = "room" if wanted >= self.limit else strain or "latency"
        limit = self.limit + (wanted - self.limit) * _SMOOTHING
        return min(self._max, max(self._min, limit)), reason

    def _is_probe_due(self, now_s: float) -> bool:
        since_s = (now_s - self._measured_s) / self._backoff
        every_s = max(_PROBE_EVERY_S, _PROBE_EVERY_LATENCIES * self.latency_s)
        if since_s >= every_s * self._probe_every:
            return True
        soon_s = max(_PROBE_SOON_S, _PROBE_SOON_LATENCIES * self.latency_s)
        return self.limit <= self._measured_limit / 2 and since_s >= soon_s

    def _begin_probe(self, now_s: float) -> None:
        self.probing = True
        self.probe_limit = max(_PROBE_LIMIT_MIN, int(math.sqrt(self.limit)))
        within_s = min(_PROBE_S_MAX, max(WINDOW_S, _PROBE_LATENCIES_MAX * self.latency_s))
        self._probe_ends_s = now_s + within_s
        # Nobody who is in flight now counts: each waited for the others.
        self._from_s = self._clip_s = math.inf

    def _go_on_probing(self, in_flight: int, now_s: float) -> None:
        if self._from_s == math.inf and in_flight <= self.probe_limit:
            self._from_s = now_s
            # What came late from before it.
            self._count, self._total_s, self._peak = 0, 0.0, 0
        if self._count >= _PROBE_SAMPLES:
            self._set_baseline(self._mean_s())
            self._backoff = 1.0
        elif now_s >= self._probe_ends_s:
            self._set_baseline(self.baseline_s)
            self._backoff = min(_PROBE_BACKOFF_MAX, 2 * self._backoff)
        else:
            return
        self.probing = False
        self._probe_every = self._jitter()
        self._measured(now_s)
        self._begin_window(now_s)
        self._decides_s = now_s + WINDOW_S

    def _begin_window(self, now_s: float) -> None:
        self._count, self._total_s, self._peak = 0, 0.0, 0
        # A probe is looked at with each answer.
        self._decides_s = -math.inf if self.probing else now_s + WINDOW_S
        if not self.probing:
            self._from_s = -math.inf

    def _mean_s(self) -> float:
        # Not zero where answers take less than the clock can tell.
        return max(_LATENCY_S_MIN, self._total_s / self._count)

    def _measured(self, now_s: float) -> None:
        self._measured_s = now_s
        self._measured_limit = self.limit

    def _set_baseline(self, baseline_s: float) -> None:
        self.baseline_s = baseline_s
        self._clip_s = _CLIP * baseline_s

    def _jitter(self) -> float:
        return 1.0 + self._rng.uniform(-_PROBE_JITTER, _PROBE_JITTER)
