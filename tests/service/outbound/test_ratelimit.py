"""The rate limit against a naive model: a bucket that is filled and emptied."""

import math
import threading
from random import Random

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


def test_a_turn_after_the_deadline_is_not_taken() -> None:
    limiter = Limiter(RateLimit(rate="10/s", wait="5s"))
    assert limiter.take(0.0, 0.0) == math.inf
    assert limiter.take(0.0, 0.05) == 0.0
    assert [limiter.take(0.0, 0.1) for _ in range(9)] == [math.inf] * 9
    assert limiter.take(0.0, 0.11) == pytest.approx(0.1)


def test_a_turn_that_is_given_back_goes_to_the_next_who_comes() -> None:
    limiter = Limiter(RateLimit(rate="10/s", wait="5s"))
    waits_s = [limiter.take(0.0) for _ in range(5)]
    assert waits_s == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    limiter.give_back(waits_s[2], 0.0)
    assert limiter.take(0.0) == pytest.approx(0.2)
    assert limiter.take(0.0) == pytest.approx(0.5)
    limiter.give_back(waits_s[3], 0.35)
    # It is over: whoever left now would leave too soon before the next one.
    assert limiter.take(0.35) == pytest.approx(0.25)


@given(st.integers(1, 4), st.integers(0, 30), st.randoms(use_true_random=False))
def test_turns_that_are_all_given_back_leave_no_trace(burst: int, count: int, rng: Random) -> None:
    limiter = Limiter(RateLimit(rate="10/s", burst=burst, wait="60s"))
    for _ in range(burst + 3):
        limiter.take(7.0)
    before_s = Limiter(RateLimit(rate="10/s", burst=burst, wait="60s"))
    for _ in range(burst + 3):
        before_s.take(7.0)
    turns_s = [7.0 + limiter.take(7.0) for _ in range(count)]
    rng.shuffle(turns_s)
    for turn_s in turns_s:
        limiter.give_back(turn_s, 7.0)
    assert limiter.take(7.0) == pytest.approx(before_s.take(7.0))


STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "cancel", "change"]), st.floats(0.0, 0.3)),
    max_size=120,
)


@given(st.integers(1, 4), STEPS, st.randoms(use_true_random=False))
def test_with_turns_given_back_no_more_leave_than_the_rate_lets(
    burst: int, steps: list[tuple[str, float]], rng: Random
) -> None:
    """The naive model: between any two calls that leave, the bucket lets so many through."""
    limiter = Limiter(RateLimit(rate=10.0, burst=burst, wait="2s"))
    now_s, slowest = 50.0, 10.0
    waiting: list[float] = []
    left: list[float] = []
    for step, pause_s in steps:
        now_s += pause_s
        left += [turn_s for turn_s in waiting if turn_s <= now_s]
        waiting = [turn_s for turn_s in waiting if turn_s > now_s]
        if step == "take":
            until_s = now_s + rng.choice((0.15, 9.0))
            wait_s = limiter.take(now_s, until_s)
            if 0.0 <= wait_s < math.inf:
                assert now_s + wait_s < until_s
                waiting.append(now_s + wait_s)
        elif step == "cancel" and waiting:
            limiter.give_back(waiting.pop(rng.randrange(len(waiting))), now_s)
        elif step == "change":
            rate = rng.choice((10.0, 20.0, 40.0))
            slowest = max(slowest, rate)
            limiter.reconfigure(RateLimit(rate=rate, burst=burst, wait="2s"))
    times_s = sorted(left + waiting)
    for first, begun_s in enumerate(times_s):
        for last in range(first, len(times_s)):
            allowed = burst + (times_s[last] - begun_s) * slowest
            assert last - first + 1 <= allowed + 1e-6


def waits(limiter: Limiter, now_s: float, count: int) -> list[float]:
    return [limiter.take(now_s) for _ in range(count)]


def eighths() -> Limiter:
    """A turn each 0.125 s, which floats hold exactly."""
    return Limiter(RateLimit(rate=8.0, wait="9s"))


def test_a_turn_in_the_middle_that_is_given_back_is_the_next_ones() -> None:
    limiter = eighths()
    assert waits(limiter, 1000.0, 5) == [0.0, 0.125, 0.25, 0.375, 0.5]
    limiter.give_back(1000.25, 1000.0)
    assert waits(limiter, 1000.0, 2) == [0.25, 0.625]


def test_the_last_turn_that_is_given_back_was_never_taken() -> None:
    limiter = eighths()
    waits(limiter, 1000.0, 5)
    limiter.give_back(1000.5, 1000.0)
    # Were it only kept for the next one, that would have to wait for the turn after it now.
    assert limiter.take(1000.5625) == 0.0


def test_turns_before_the_last_one_go_with_it() -> None:
    limiter = eighths()
    waits(limiter, 1000.0, 5)
    limiter.give_back(1000.375, 1000.0)
    limiter.give_back(1000.5, 1000.0)
    assert waits(limiter, 1000.0, 3) == [0.375, 0.5, 0.625]


def test_the_first_turn_of_a_new_rate_is_its_own() -> None:
    limiter = eighths()
    waits(limiter, 1000.0, 2)
    limiter.reconfigure(RateLimit(rate=4.0, wait="9s"))
    assert limiter.take(1000.0) == 0.25
    limiter.give_back(1000.25, 1000.0)
    assert limiter.take(1000.3125) == 0.0


def test_a_turn_that_is_later_than_the_next_is_not_preferred() -> None:
    limiter = eighths()
    waits(limiter, 1000.0, 5)
    limiter.give_back(1000.375, 1000.0)
    assert limiter.take(1000.25) == 0.125
    assert limiter.take(1000.25) == 0.375


def test_the_last_turn_after_a_burst_that_is_given_back_was_never_taken() -> None:
    limiter = Limiter(RateLimit(rate=8.0, burst=3, wait="9s"))
    assert waits(limiter, 1000.0, 4) == [0.0, 0.0, 0.0, 0.125]
    limiter.give_back(1000.125, 1000.0)
    assert limiter.take(1000.1875) == 0.0
