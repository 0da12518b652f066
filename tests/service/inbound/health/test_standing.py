"""How a check stands, against a naive model that keeps every answer."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.health.standing import RECHECK_S, Standing, pause_s, stand


def naive(answers: list[bool], failures: int, successes: int) -> bool:
    """Return whether a check counts as failed, by reading all its answers anew."""
    failing = answers[0]
    since: list[bool] = []
    for failed in answers[1:]:
        since.append(failed)
        needed = failures if not failing else successes
        if len(since) >= needed and all(one is not failing for one in since[-needed:]):
            failing, since = not failing, []
    return failing


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 6), st.integers(1, 6))
def test_only_so_many_in_a_row_change_a_mind(
    answers: list[bool], failures: int, successes: int
) -> None:
    standing: Standing | None = None
    for failed in answers:
        standing = stand(standing, failed=failed, failures=failures, successes=successes)
    assert standing is not None
    assert standing.failing is naive(answers, failures, successes)
    assert standing.against < max(failures, successes)


@given(interval_s=st.floats(0.1, 3600), failing=st.booleans(), seed=st.integers())
def test_no_pause_is_longer_than_the_interval(
    *, interval_s: float, failing: bool, seed: int
) -> None:
    """Nor shorter than nine tenths of it, or of the recheck while it fails."""
    pause = pause_s(interval_s, Standing(failing=failing), Random(seed))
    whole_s = min(interval_s, RECHECK_S) if failing else interval_s
    assert 0.89 * whole_s <= pause <= whole_s
