"""However many callers come: memory is bounded, and nobody gets a spent quota back."""

import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.inbound.ratelimit.kit import World, limit, rule

from mainstay.core.limits import NEVER_S, gcra
from mainstay.service.inbound.ratelimit.buckets import Buckets
from mainstay.service.inbound.ratelimit.memory import BUCKETS_MAX, Memory, Rule
from mainstay.service.inbound.ratelimit.overflow import Overflow
from mainstay.spec.ratelimit import LIMITS_MAX

MILLION = 1_000_000


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), max_size=200),
    st.integers(1, 6),
)
def test_whoever_passes_would_pass_with_a_bucket_of_its_own(
    calls: list[tuple[int, int]], buckets_max: int
) -> None:
    """With far fewer buckets than callers: stricter at times, more lenient never."""
    memory, one = Memory(), rule(every_s=2.0, burst=3, buckets_max=buckets_max)
    dues_s: dict[str, float] = {}
    now_s = 0.0
    for number, eighths in calls:
        now_s += eighths / 8
        key = str(number)
        if memory.take(one, key, 1, now_s) >= 0:
            dues_s[key], answer = gcra(dues_s.get(key, NEVER_S), now_s, 2.0, 3)
            assert answer.allowed
        assert len(one.buckets.dues) <= buckets_max


def test_what_is_empty_is_forgotten_and_what_is_not_is_kept() -> None:
    buckets = Buckets(1000)
    for number in range(100):
        buckets.put(f"slow-{number}", 500.0, 0.0)
    for number in range(10_000):
        buckets.put(f"quick-{number}", number + 1.0, float(number))
        # Twice what is not empty, and the newcomers of a round.
        assert len(buckets.dues) <= 2 * 101 + 2
        if number == 400:
            assert all(buckets.due_s(f"slow-{one}") == 500.0 for one in range(100))
    assert all(buckets.due_s(f"slow-{one}") == NEVER_S for one in range(100))


def test_a_flood_of_callers_doesnt_wash_out_a_spent_quota() -> None:
    memory, one = Memory(), rule(every_s=3600.0, burst=2, buckets_max=64)
    assert [memory.take(one, "attacker", 1, 0.0) >= 0 for _ in range(3)] == [True, True, False]
    for number in range(10_000):
        memory.take(one, f"flood-{number}", 1, 1.0)
    assert memory.take(one, "attacker", 1, 2.0) < 0
    # One of the flood came past the end of the table, and is held to its quota there.
    assert sum(memory.take(one, "late", 1, 2.0) >= 0 for _ in range(10)) <= 2


def test_who_comes_new_while_the_table_is_full_usually_passes() -> None:
    """As many callers again as the table holds: few of the innocent share with anybody."""
    memory, one = Memory(), rule(every_s=3600.0, burst=2, buckets_max=1024)
    for number in range(1024):
        memory.take(one, f"first-{number}", 2, 0.0)
    turned_away = 0
    for number in range(512):
        turned_away += memory.take(one, f"second-{number}", 2, 0.0) < 0
    # A newcomer is held only where both of its cells are taken; one row alone would hold 22 %.
    assert turned_away < 512 * 0.15


def test_the_shared_buckets_go_when_they_are_empty() -> None:
    buckets = Buckets(1)
    buckets.put("a", 100.0, 0.0)
    buckets.put("b", 50.0, 0.0)
    assert buckets.due_s("b") == 50.0
    buckets.put("c", 101.0, 60.0)
    assert buckets.due_s("b") in {NEVER_S, 101.0}
    buckets.put("d", 300.0, 200.0)
    assert buckets.due_s("a") == buckets.due_s("c") == NEVER_S
    assert buckets.due_s("d") == 300.0


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 100)), max_size=100))
def test_a_shared_bucket_is_never_emptier_than_ones_own(puts: list[tuple[str, int]]) -> None:
    overflow = Overflow(4)
    latest_s: dict[str, float] = {}
    for key, due_s in puts:
        overflow.put(key, float(due_s))
        latest_s[key] = max(latest_s.get(key, NEVER_S), float(due_s))
        assert all(overflow.due_s(one) >= own_s for one, own_s in latest_s.items())
        assert overflow.latest_s == max(latest_s.values())


def test_a_million_callers_take_bounded_memory() -> None:
    """Each of them spends its whole day's quota, so that no bucket is empty."""
    memory, one = Memory(), Rule(every_s=86_400.0, burst=1, buckets_max=BUCKETS_MAX)
    for number in range(MILLION):
        memory.take(one, f"198.51.{number}", 1, number * 1e-6)
    assert len(one.buckets.dues) == BUCKETS_MAX
    assert size_of(one.buckets) < 25e6
    assert memory.take(one, "198.51.0", 1, 1.0) < 0
    assert memory.take(one, f"198.51.{MILLION - 1}", 1, 1.0) < 0


def test_several_limits_share_the_bound_of_memory() -> None:
    world = World(*[limit("1/d", name=f"n{one}") for one in range(LIMITS_MAX)])
    exact = [one.rule.buckets._max for one in world.limits._policies]
    assert sum(exact) <= BUCKETS_MAX
    assert min(exact) > BUCKETS_MAX / LIMITS_MAX - 1


def size_of(buckets: Buckets) -> int:
    """Return the bytes that the buckets of a limit take, with all that they hold."""
    assert set(buckets._ring) == set(buckets.dues)
    held: list[object] = [buckets.dues, buckets._ring, *buckets.dues, *buckets.dues.values()]
    if buckets._overflow is not None:
        held += buckets._overflow._rows
    return sum(sys.getsizeof(one) for one in held)
