from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.retry.backoff import JITTERS, backoff_s


def pause(jitter: str, failures: int, *, last_s: float = 0.0, seed: int = 1) -> float:
    return backoff_s(jitter, failures, base_s=0.1, max_s=5.0, last_s=last_s, rng=Random(seed))


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize("failures", [1, 2, 64, 1075, 10**6])
def test_a_million_failures_overflow_nothing(jitter: str, failures: int) -> None:
    assert 0.0 <= pause(jitter, failures, last_s=5.0) <= 5.0


def test_without_jitter_the_pause_doubles_up_to_the_longest() -> None:
    assert [pause("none", n) for n in (1, 2, 3, 7, 8)] == pytest.approx([0.1, 0.2, 0.4, 5.0, 5.0])


@given(st.integers(1, 100), st.integers(0, 2**32))
def test_full_is_below_the_ceiling_and_equal_in_its_upper_half(failures: int, seed: int) -> None:
    ceiling_s = pause("none", failures)
    assert 0 <= pause("full", failures, seed=seed) <= ceiling_s
    assert ceiling_s / 2 <= pause("equal", failures, seed=seed) <= ceiling_s


@given(st.floats(0, 5), st.integers(0, 2**32))
def test_decorrelated_is_between_the_base_and_three_times_the_last(
    last_s: float, seed: int
) -> None:
    found_s = pause("decorrelated", 3, last_s=last_s, seed=seed)
    assert 0.1 <= found_s <= min(5.0, max(0.1, 3 * last_s)) + 1e-12


def test_jitter_spreads_the_callers() -> None:
    rng = Random(7)
    pauses = [backoff_s("full", 3, base_s=0.1, max_s=5.0, last_s=0.0, rng=rng) for _ in range(1000)]
    assert min(pauses) < 0.02
    assert max(pauses) > 0.38
    assert sum(pauses) / 1000 == pytest.approx(0.2, abs=0.02)
