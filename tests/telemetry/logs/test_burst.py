import threading

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.limits import NEVER_S, gcra
from mainstay.telemetry.logs.burst import LOGGERS_MAX, OTHERS, Burst


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 20))
def test_it_is_the_cell_rate_algorithm(gaps_s: list[float], burst: int) -> None:
    """The shortcut for an empty bucket decides as ``gcra`` does."""
    limit, due_s, now_s = Burst(4.0, burst=burst), NEVER_S, 100.0
    for gap_s in gaps_s:
        now_s += gap_s
        due_s, answer = gcra(due_s, now_s, 0.25, burst)
        assert limit.lets("a", 20, now_s) == answer.allowed


def test_the_burst_is_what_a_second_has() -> None:
    limit = Burst(10.0)
    assert sum(limit.lets("a", 20, 5.0) for _ in range(100)) == 10


def test_what_is_dropped_is_counted_exactly_by_several_threads() -> None:
    limit = Burst(1.0, burst=1)

    def flood() -> None:
        for _ in range(2000):
            limit.lets("a", 20, 5.0)

    limit.lets("a", 20, 5.0)
    threads = [threading.Thread(target=flood) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert [one.lines for one in limit.take()] == [8000]
    assert limit.take() == []
    assert not limit.dropping


def test_names_beyond_the_bound_share_a_bucket() -> None:
    limit = Burst(1.0, burst=1)
    for number in range(LOGGERS_MAX + 50):
        limit.lets(f"logger-{number}", 20, 5.0)
    assert len(limit._buckets) == LOGGERS_MAX + 1
    assert [(one.logger, one.lines) for one in limit.take()] == [(OTHERS, 49)]
