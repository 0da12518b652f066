"""The rate limit against a naive model: a bucket that is filled and emptied."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.ratelimit import Limiter, RateLimit


def test_a_burst_then_one_at_a_time() -> None:
    limiter = Limiter(RateLimit(rate="10/s", burst=3))
    assert [limiter.take(5.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limiter.take(5.0) == pytest.approx(-0.1)
    assert limiter.take(5.1 + 1e-9) == 0.0


@given(st.integers(1, 5), st.lists(st.floats(0, 1.0).map(lambda s: round(s, 2)), max_size=100))
def test_it_lets_through_what_a_leaky_bucket_does(burst: int, pauses_s: list[float]) -> None:
    limiter = Limiter(RateLimit(rate=4.0, burst=burst))
    now_s, level = 0.0, 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        level = max(0.0, level - pause_s * 4.0)
        if abs(level + 1 - burst) < 1e-6:
            # At the very edge rounding decides, in the model as in the limiter.
            return
        taken = limiter.take(now_s) == 0.0
        assert taken == (level + 1 <= burst)
        level += taken


def test_who_may_wait_gets_the_next_turn_and_the_one_after_waits_longer() -> None:
    limiter = Limiter(RateLimit(rate="10/s", wait="150ms"))
    assert limiter.take(0.0) == 0.0
    assert limiter.take(0.0) == pytest.approx(0.1)
    refused_s = limiter.take(0.0)
    assert refused_s == pytest.approx(-0.2)
    # The refused one took no turn.
    assert limiter.take(0.1) == pytest.approx(0.1)


def test_a_clock_that_is_set_back_neither_opens_nor_shuts_it() -> None:
    limiter = Limiter(RateLimit(rate="1/s", burst=1))
    assert limiter.take(1000.0) == 0.0
    assert limiter.take(10.0) < 0
    assert limiter.take(1001.0) == 0.0


def test_a_new_rate_holds_at_once() -> None:
    limiter = Limiter(RateLimit(rate="1/s"))
    limiter.take(0.0)
    limiter.reconfigure(RateLimit(rate="100/s"))
    assert limiter.take(1.0) == 0.0
    assert limiter.take(1.0) == pytest.approx(-0.01)


def test_eight_threads_take_no_more_than_the_burst() -> None:
    limiter = Limiter(RateLimit(rate=0.001, burst=1000))
    barrier, taken = threading.Barrier(8), [0] * 8

    def take(at: int) -> None:
        barrier.wait()
        for _ in range(500):
            taken[at] += limiter.take(0.0) == 0.0

    threads = [threading.Thread(target=take, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1000
