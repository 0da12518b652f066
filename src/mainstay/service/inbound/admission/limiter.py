"""The adaptive limit: a gradient on latency. No clock, no lock, no I/O.

While more in flight means more done, the latency stays; past that point it grows with what is in
flight. So the limit follows the ratio of the latency with little in flight, the baseline, to the
present one. In flight × baseline / latency is the baseline × what is done in a second (Little's
law), and in that form it does not wait for slow answers to tell that they are slow.

Sources: L. Brakmo and others, "TCP Vegas", SIGCOMM 1994 (the ratio); N. Cardwell and others, "BBR",
ACM Queue 14(5), 2016 (its other form); Netflix, concurrency-limits, Gradient2Limit (windows,
tolerance, smoothing, and no change while less than half of the limit is used, since then the limit
is not what makes the latency); Envoy, adaptive concurrency filter (the square root as headroom, and
a baseline that is measured again at a low limit now and then).
"""

import math
from collections.abc import Callable
from random import Random

from mainstay.service.inbound.admission.probe import Probe
from mainstay.spec.shed import Shed

WINDOW_S = 0.1
"""The least time between two decisions, as in Envoy."""

_WINDOW_S_MAX = 60.0
"""What takes longer to come together says nothing about now."""

SAMPLES_MIN, SAMPLES_MAX = 10, 400
_SAMPLES_SPREAD = 40.0
"""Answers for a decision: so many times the variance over the squared mean, so that the mean is off
by a sixth (its standard error), however much requests differ from each other."""

_SAMPLES_MEMORY = 0.8

_TOLERANCE = 1.5
"""The latency may be so many times the baseline (Gradient2)."""

_SMOOTHING = 0.5
"""What a new limit weighs (Gradient2: 0.2), unless it is below half of the old one, which is then
halved at once. Until the latency rises for the first time, the limit grows by half in each window
(TCP's slow start)."""

_CLIP = 20.0
"""A sample counts at most as so many baselines: one report among pages is no overload."""

_LATENCY_S_MIN = 1e-6

_FALL_S, _RISE_S = 5.0, 30.0
"""With little in flight the baseline follows the latency in about so long. Up slowly, or it would
follow a queue that is just building up within the service."""

_YOUNG = 10.0
"""For so many latencies, what is known comes from the answers that were short."""

_PROBE_EVERY_S = 10.0
_PROBE_EVERY_LENGTHS = 20.0
"""A probe costs about half of what is done in its time, so this bounds its cost to 3 %."""

_PROBE_SOON_S = 0.5
_PROBE_SOON_LENGTHS = 2.0
"""The same while the baseline is doubtful."""

_DOUBT = 0.2
"""A probe that moves the baseline by more is followed by another one soon."""

_PROBE_JITTER = 0.15
"""Replicas that began together don't probe together (Envoy's jitter)."""

_PROBE_SHARE = 0.5
_PROBE_SHARE_DOUBTFUL = 0.25
"""Of the limit, while it is measured. A limit that is right is half as much again as what can be
done at once, and half of it leaves no queue within the service."""

_PROBE_TURNS = 4
"""So many times, at least, each place is given anew while it is measured: that it is cut off in the
middle of the work in flight then means an error of an eighth at most."""

_PROBE_PATIENCE = 2.0
_PROBE_S_MAX = 60.0
"""A probe ends after so many times what it should take; one that should take longer than the second
is not begun."""

Strain = Callable[[float], str | None]
"""Returns which bound of the machine is reached at a time, or None."""


class Limiter:
    """The limit of one service. Whoever calls holds a lock.

    Args:
        options: Bounds of the limit, and what it begins with.
        rng: Spreads the probes.
        now_s: The present time.

    Attributes:
        limit: Requests that may be in flight; a fraction is what it has grown so far.
        baseline_s: Latency with little in flight; 0 while nothing is known.
        latency_s: Mean of the last window.
        reason: Why the limit last changed; see ``LimitChanged``.
        done: Requests that ended since the last decision, samples or not; counted from outside.
        pressed: Whether a request found no room since the last decision; set from outside.
        probe: The measurement of the baseline that is going on, or None.
    """

    __slots__ = (
        "_began_s", "_clip_s", "_count", "_decides_s", "_doubtful", "_first_s", "_max",
        "_measured_limit", "_measured_s", "_min", "_needed", "_peak", "_per_s", "_probe_every",
        "_probe_length_s", "_rng", "_seen", "_squares", "_starting", "_total_s", "baseline_s",
        "done", "latency_s", "limit", "pressed", "probe", "reason",
    )  # fmt: skip

    def __init__(self, options: Shed, rng: Random, now_s: float) -> None:
        self._min, self._max = options.limit_min, options.limit_max
        self._rng = rng
        self._set_limit(options.limit)
        self.baseline_s = 0.0
        self.latency_s = 0.0
        self.reason = "room"
        self.done = 0
        self.pressed = False
        self.probe: Probe | None = None
        self._starting = True
        # Until it was measured with little in flight.
        self._doubtful = True
        self._probe_every = self._jitter()
        self._probe_length_s = 0.0
        self._first_s = math.inf
        self._measured_s = now_s
        self._seen = 0
        self._measured_limit = self.limit
        self._clip_s = math.inf
        self._needed = SAMPLES_MIN
        # Ended in a second, in the last window.
        self._per_s = 0.0
        self._peak = 0
        self._begin_window(now_s)

    def sample(self, latency_s: float, in_flight: int, now_s: float) -> bool:
        """Note an answer; True: ``decide`` is due.

        Args:
            latency_s: From its admission until its answer began.
            in_flight: Requests in flight, itself included.
            now_s: The present time.
        """
        # Not min() and max(), which would double the cost of this.
        if latency_s > self._clip_s:  # noqa: PLR1730
            latency_s = self._clip_s
        self._count += 1
        self._total_s += latency_s
        self._squares += latency_s * latency_s
        if in_flight > self._peak:  # noqa: PLR1730
            self._peak = in_flight
        return now_s >= self._decides_s

    def decide(self, strain: Strain, in_flight: int, waiting: int, now_s: float) -> None:
        """Set the limit by what was sampled, where there is enough of it.

        Args:
            strain: The second opinion, asked once a window: says ``cpu`` or ``loop-lag`` where
                that is at its bound.
            in_flight: Requests in flight; with one that ends now.
            waiting: Requests that wait for a place.
            now_s: The present time.
        """
        if self.probe is not None:
            self._go_on_probing(self.probe, in_flight, waiting, now_s)
        elif self._first_s == math.inf:
            # What went before the first answer was no traffic.
            self._first_s = self._began_s = now_s
            self._decides_s = now_s + WINDOW_S
        elif self._count < SAMPLES_MIN or self._count < self._samples_needed():
            self._decides_s = now_s + WINDOW_S / 4
            if now_s - self._began_s > _WINDOW_S_MAX:
                self._begin_window(now_s)
        else:
            self._close_window(strain, now_s)

    def _samples_needed(self) -> int:
        mean_s = self._total_s / self._count
        spread = self._squares / self._count / max(_LATENCY_S_MIN, mean_s) ** 2 - 1.0
        # A few look alike, though many don't: what was found before is forgotten by and by.
        needed = max(SAMPLES_MIN, _SAMPLES_SPREAD * spread, self._needed * _SAMPLES_MEMORY)
        return int(min(SAMPLES_MAX, needed))

    def _close_window(self, strain: Strain, now_s: float) -> None:
        self._needed = self._samples_needed()
        self.latency_s = max(_LATENCY_S_MIN, self._total_s / self._count)
        self._per_s = max(self.done, self._count) / (now_s - self._began_s)
        used = 2 * self._peak >= self.limit
        if self.baseline_s == 0.0:
            self._set_baseline(self.latency_s)
        if used:
            self._move(strain(now_s))
            if self.pressed and self._is_probe_due(now_s):
                self._begin_probe(now_s)
        else:
            self._follow(now_s)
        self.pressed = False
        self._begin_window(now_s)

    def _follow(self, now_s: float) -> None:
        """Let the baseline follow the last window, in which little was in flight."""
        more_s = self.latency_s - self.baseline_s
        weight = min(1.0, (now_s - self._began_s) / (_RISE_S if more_s > 0 else _FALL_S))
        if now_s - self._first_s < _YOUNG * self.latency_s:
            self._seen += self._count
            weight = max(weight, self._count / self._seen)
        elif more_s <= (_TOLERANCE - 1.0) * self.baseline_s:
            # With so little in flight this is a measurement, too.
            self._doubtful = False
            self._measured(now_s)
        self._set_baseline(self.baseline_s + more_s * weight)

    def _move(self, strain: str | None) -> None:
        """Let the limit follow the last window."""
        tolerated_s = self.baseline_s * (_TOLERANCE if strain is None else 1.0)
        headroom = max(1.0, math.sqrt(self.limit) / 2)
        fits = tolerated_s * self._per_s + headroom
        wanted = self.limit
        if self.latency_s > tolerated_s:
            # Where answers take so long that it would take minutes to tell a queue from work,
            # nothing shrinks on a guess: what was declared holds.
            if not self._doubtful or self._probe_s() <= _PROBE_S_MAX:
                self.reason = strain or "latency"
                self._starting = False
                wanted = min(self.limit, fits)
        elif self._peak <= fits:
            self.reason = "room"
            # Once for each turn of the places, as TCP does, and by half at most.
            turns = math.inf if self._starting and not self._doubtful else self._count / self.limit
            wanted = min(2 * self.limit, self.limit + headroom * max(1.0, turns))
        # Else more came at once than can be done, though no answer tells yet.
        if wanted > self.limit / 2:
            wanted = self.limit + (wanted - self.limit) * _SMOOTHING
        self._set_limit(max(wanted, self.limit / 2))

    def _is_probe_due(self, now_s: float) -> bool:
        if self.limit <= self._measured_limit / 2:
            self._doubtful = True
        if self._probe_s() > _PROBE_S_MAX:
            return False
        if self._doubtful:
            every_s = max(_PROBE_SOON_S, _PROBE_SOON_LENGTHS * self._probe_length_s)
        else:
            every_s = max(_PROBE_EVERY_S, _PROBE_EVERY_LENGTHS * self._probe_length_s)
        return now_s - self._measured_s >= every_s * self._probe_every

    def _probe_limit(self) -> int:
        share = _PROBE_SHARE_DOUBTFUL if self._doubtful else _PROBE_SHARE
        return max(1, int(self.limit * share))

    def _probe_needs(self) -> int:
        return max(self._needed, _PROBE_TURNS * self._probe_limit())

    def _probe_s(self) -> float:
        """Return how long a probe should take, to do what is in flight and what it needs."""
        drain_s = self._peak / self._per_s
        return drain_s + self._probe_needs() * self.latency_s / self._probe_limit()

    def _begin_probe(self, now_s: float) -> None:
        self.probe = Probe(
            limit=self._probe_limit(),
            needed=self._probe_needs(),
            began_s=now_s,
            ends_s=now_s + max(WINDOW_S, _PROBE_PATIENCE * self._probe_s()),
        )

    def _go_on_probing(self, probe: Probe, in_flight: int, waiting: int, now_s: float) -> None:
        is_done = probe.go_on(in_flight, self.done, now_s)
        self.done = 0
        # When the pressure has gone, to go on would turn away some who find room now.
        is_calm = not waiting and in_flight <= probe.limit
        if not is_done and not is_calm and now_s < probe.ends_s:
            return
        if probe.done >= SAMPLES_MIN:
            baseline_s = max(_LATENCY_S_MIN, probe.area_s / probe.done)
            self._doubtful = abs(baseline_s - self.baseline_s) > _DOUBT * self.baseline_s
            if baseline_s > _TOLERANCE * self.baseline_s:
                # The limit shrank because of a baseline that was wrong.
                self._starting = True
                self._set_limit(max(self.limit, self._measured_limit))
            self._set_baseline(baseline_s)
        self.probe = None
        self._probe_length_s = now_s - probe.began_s
        self._probe_every = self._jitter()
        self._measured(now_s)
        self._begin_window(now_s)

    def _begin_window(self, now_s: float) -> None:
        self._count, self._total_s, self._squares = 0, 0.0, 0.0
        self._peak = self.done = 0
        self._began_s = now_s
        # A probe is looked at with each answer.
        self._decides_s = -math.inf if self.probe is not None else now_s + WINDOW_S

    def _measured(self, now_s: float) -> None:
        self._measured_s = now_s
        self._measured_limit = self.limit

    def _set_limit(self, limit: float) -> None:
        self.limit = float(min(self._max, max(self._min, limit)))

    def _set_baseline(self, baseline_s: float) -> None:
        self.baseline_s = baseline_s
        self._clip_s = _CLIP * baseline_s

    def _jitter(self) -> float:
        return 1.0 + self._rng.uniform(-_PROBE_JITTER, _PROBE_JITTER)
