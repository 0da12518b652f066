"""Counting in memory: equal to the decision in core, number by number, and never more lenient."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.ratelimit.kit import rule

from mainstay.core.limits import NEVER_S, Ask, gcra, gcra_all
from mainstay.service.inbound.ratelimit.memory import Memory, Rule

# Eighths are exact in binary, so that "equal" means equal.
TIMES = st.integers(0, 400).map(lambda eighths: eighths / 8)

Call = tuple[str, int, float]
"""Whose, as how many, and when."""


def calls(callers: str) -> st.SearchStrategy[list[Call]]:
    return st.lists(st.tuples(st.sampled_from(callers), st.integers(1, 5), TIMES), max_size=60)


# Of several callers, a bucket that was empty once may be forgotten, and a clock that is then set
# back finds it empty. Of one alone, nothing is swept.
IN_ORDER = calls("abc").map(lambda made: sorted(made, key=lambda call: call[2]))


@given(IN_ORDER | calls("a"), st.sampled_from([0.125, 1.0, 2.5]), st.integers(5, 9))
def test_one_limit_decides_as_core_does(calls: list[Call], every_s: float, burst: int) -> None:
    memory, one = Memory(), rule(every_s=every_s, burst=burst)
    dues_s: dict[str, float] = {}
    for key, cost, now_s in calls:
        due_s, answer = gcra(dues_s.get(key, NEVER_S), now_s, every_s, burst, cost)
        dues_s[key] = due_s
        expected = answer.reset_after_s if answer.allowed else -answer.retry_after_s
        assert memory.take(one, key, cost, now_s) == expected
        if answer.allowed:
            assert one.remaining(expected) == answer.remaining


@given(IN_ORDER, st.integers(1, 4))
def test_several_limits_decide_as_core_does(calls: list[Call], count: int) -> None:
    memory = Memory()
    rules = [rule(every_s=0.25 * (i + 1), burst=5 + i) for i in range(count)]
    dues_s: dict[str, list[float]] = {}
    for key, cost, now_s in calls:
        asks = [Ask(str(i), one.every_s, one.burst, cost) for i, one in enumerate(rules)]
        before_s = dues_s.get(key, [NEVER_S] * count)
        after_s, answers = gcra_all(before_s, asks, now_s)
        dues_s[key] = list(after_s)
        expected = [one.reset_after_s if one.allowed else -one.retry_after_s for one in answers]
        assert memory.take_all([(one, key, cost) for one in rules], now_s) == expected


@given(st.lists(st.tuples(TIMES, st.integers(1, 3)), max_size=80))
def test_no_window_holds_more_than_burst_and_rate(calls: list[tuple[float, int]]) -> None:
    """The naive law: in any stretch of t seconds at most burst + t / every calls pass."""
    memory, one = Memory(), rule(every_s=0.5, burst=4)
    passed = [
        (now_s, cost) for now_s, cost in sorted(calls) if memory.take(one, "a", cost, now_s) >= 0
    ]
    for start, (begin_s, _) in enumerate(passed):
        for end in range(start, len(passed)):
            calls_within = sum(cost for _, cost in passed[start : end + 1])
            assert calls_within <= 4 + (passed[end][0] - begin_s) / 0.5


@given(st.lists(st.tuples(TIMES, st.booleans()), max_size=60))
def test_what_is_given_back_never_lets_more_pass(calls: list[tuple[float, bool]]) -> None:
    """Calls that were undone count for nothing, those that were not count in full."""
    memory, one = Memory(), rule(every_s=0.5, burst=4)
    kept: list[float] = []
    pending: tuple[float, float] | None = None
    for now_s, undone in sorted(calls):
        if pending is not None:
            # The store's answer comes only now, up to the time of the next call later.
            memory.give_back([(one, "a", 1)], [pending[1]], now_s)
            pending = None
        held_s = memory.take(one, "a", 1, now_s)
        if held_s < 0:
            continue
        if undone:
            pending = (now_s, now_s + held_s)
        else:
            kept.append(now_s)
    for start, begin_s in enumerate(kept):
        for end in range(start, len(kept)):
            assert end - start + 1 <= 4 + (kept[end] - begin_s) / 0.5


def test_a_call_that_is_given_back_at_once_may_be_made_again() -> None:
    memory, one = Memory(), rule(burst=1)
    held_s = memory.take(one, "a", 1, 5.0)
    assert memory.take(one, "a", 1, 5.0) == -1.0
    memory.give_back([(one, "a", 1)], [5.0 + held_s], 5.0)
    assert memory.take(one, "a", 1, 5.0) == 1.0


def test_a_clock_that_is_set_back_costs_at_most_a_full_bucket() -> None:
    memory, one = Memory(), rule(every_s=1.0, burst=3)
    assert memory.take(one, "a", 1, 1_000_000.0) == 1.0
    assert memory.take(one, "a", 1, 10.0) == -1.0
    assert memory.take(one, "a", 1, 11.0) == 3.0
    memory, two = Memory(), [rule(every_s=1.0, burst=3), rule(every_s=1.0, burst=3)]
    takes = [(each, "a", 1) for each in two]
    assert memory.take_all(takes, 1_000_000.0) == [1.0, 1.0]
    assert memory.take_all(takes, 10.0) == [-1.0, -1.0]
    assert memory.take_all(takes, 11.0) == [3.0, 3.0]


def test_a_bucket_is_at_least_as_full_as_the_store_says() -> None:
    memory, one = Memory(), rule(every_s=1.0, burst=3)
    memory.learn(one, "a", 2.0, 10.0)
    assert memory.take(one, "a", 1, 10.0) == 3.0
    memory.learn(one, "a", 1.0, 10.0)
    assert memory.take(one, "a", 1, 10.0) == -1.0


@pytest.mark.parametrize("several", [False, True])
def test_threads_never_pass_more_than_there_is(several: bool) -> None:  # noqa: FBT001
    """Eight threads at once: exactly the burst passes, of all limits together."""
    memory = Memory()
    rules = [rule(every_s=1000.0, burst=500 + 100 * i) for i in range(2 if several else 1)]
    barrier = threading.Barrier(8)
    passed: list[int] = []

    def ask() -> None:
        barrier.wait()
        passed.append(sum(takes(memory, rules) for _ in range(200)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 500
    # The looser limit was taken from as often, and not once more.
    assert sum(memory.take(rules[-1], "a", 1, 0.0) >= 0 for _ in range(200)) == 100 * (
        len(rules) - 1
    )


def takes(memory: Memory, rules: list[Rule]) -> bool:
    if len(rules) == 1:
        return memory.take(rules[0], "a", 1, 0.0) >= 0
    return min(memory.take_all([(one, "a", 1) for one in rules], 0.0)) >= 0
