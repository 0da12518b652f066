"""The open loop, driven by a clock that only moves when it is waited for."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load.arrivals import Arrival
from mainstay.control.load.pace import BURST_MAX, keep_pace


class FakePace:
    """Time stands still unless somebody waits, or ``cost_s`` passes."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.waits: list[float] = []

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep_until(self, at_s: float) -> None:
        self.waits.append(at_s)
        self.now_s = max(self.now_s, at_s)


def due_at(*offsets_s: float) -> list[Arrival]:
    return [
        Arrival(offset_s=offset_s, counted=True, target=0, turn=turn)
        for turn, offset_s in enumerate(offsets_s)
    ]


def drive(pace: FakePace, due: list[Arrival], costs_s: list[float]) -> list[tuple[float, float]]:
    """Return (due, sent) of every arrival, where sending the n-th takes ``costs_s[n]``."""
    sent: list[tuple[float, float]] = []

    def send(arrival: Arrival, due_s: float) -> None:
        sent.append((due_s, pace.now_s))
        pace.now_s += costs_s[arrival.turn]

    asyncio.run(keep_pace(due, start_s=pace.now_s, pace=pace, send=send))
    return sent


@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.sampled_from([0.0, 0.001, 2.0])), min_size=1, max_size=80
    )
)
def test_nothing_is_sent_early_skipped_or_reordered(plan: list[tuple[float, float]]) -> None:
    """However slow sending is, each arrival is sent once, in order, as soon as it can be."""
    offsets_s = sorted(offset_s for offset_s, _ in plan)
    sent = drive(FakePace(), due_at(*offsets_s), [cost_s for _, cost_s in plan])
    assert [due_s for due_s, _ in sent] == [1000.0 + offset_s for offset_s in offsets_s]
    free_s = 0.0
    for (due_s, sent_s), (_, cost_s) in zip(sent, plan, strict=True):
        assert sent_s == max(due_s, free_s)
        free_s = sent_s + cost_s


def test_a_stall_of_the_generator_is_caught_up_and_not_forgotten() -> None:
    """Sending stalls for a second; what was due meanwhile is sent late, with its own due time."""
    due = due_at(*(n / 10 for n in range(20)))
    sent = drive(FakePace(), due, [0.0] * 5 + [1.0] + [0.0] * 14)
    lags = [round(sent_s - due_s, 3) for due_s, sent_s in sent]
    assert lags == [0.0] * 6 + [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1] + [0.0] * 5


def test_a_long_burst_lets_answers_be_read() -> None:
    pace = FakePace()
    drive(pace, due_at(*[0.0] * (3 * BURST_MAX)), [0.0] * (3 * BURST_MAX))
    assert len(pace.waits) == 2
