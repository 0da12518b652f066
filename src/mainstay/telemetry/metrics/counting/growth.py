"""From a figure that somebody else keeps, and that only rises, to a counter of ours."""

from mainstay.telemetry.metrics.metric import Counter
from mainstay.telemetry.metrics.snapshot import Labels

_KNOWN_MAX = 10_000
"""More figures are not followed; a metric's own bound is lower."""


class Growth:
    """Counts by how much figures have grown since they were last seen.

    The figure itself would not do: a forked child has its parent's with it, and both would be
    added up; and one that begins anew, as that of an endpoint which came back, would go back.

    Args:
        counter: What counts.
    """

    __slots__ = ("_counter", "_last")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._last: dict[Labels, float] = {}

    def seen(self, labels: Labels, figure: float) -> None:
        """Count what a figure has grown by; one that fell has begun anew."""
        last = self._last.get(labels, 0)
        if figure == last:
            return
        if labels not in self._last and len(self._last) >= _KNOWN_MAX:
            return
        self._last[labels] = figure
        self._counter.labels(*labels).inc(figure - last if figure > last else figure)
