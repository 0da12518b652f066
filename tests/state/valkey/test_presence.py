"""What is known about a server, and how long until it is looked for again."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mainstay.state.valkey.presence import BACKOFF_BASE_S, BACKOFF_MAX_S, Presence


@given(st.integers(0, 2**32), st.integers(1, 3000))
def test_pauses_grow_to_a_bound_and_never_vanish(seed: int, failures: int) -> None:
    presence, rng = Presence(), Random(seed)
    delays_s = [presence.delay_s(rng) for _ in range(failures)]
    assert all(BACKOFF_BASE_S / 2 <= one <= BACKOFF_MAX_S for one in delays_s)
    assert delays_s[0] <= BACKOFF_BASE_S
    if failures > 10:
        assert delays_s[-1] >= BACKOFF_MAX_S / 2


def test_a_connection_alone_proves_nothing() -> None:
    """A server that greets and hangs up must not be called upon without a pause."""
    presence, rng = Presence(), Random(1)
    for _ in range(10):
        presence.delay_s(rng)
        presence.opened()
    assert presence.delay_s(rng) >= BACKOFF_MAX_S / 2
    presence.proved()
    assert presence.delay_s(rng) <= BACKOFF_BASE_S


def test_only_the_first_word_of_being_away_is_news() -> None:
    presence = Presence()
    assert not presence.opened()
    assert presence.send_away("one")
    assert not presence.send_away("two")
    assert presence.away == "two"
    assert presence.opened()
    assert presence.away is None
