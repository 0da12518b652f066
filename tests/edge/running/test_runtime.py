from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.running.binary import reason
from mainstay.edge.running.push import POLL_S, poll_pauses_s
from mainstay.edge.running.runtime import RESTART_S, restart_delay_s


def test_the_first_restart_is_at_once() -> None:
    assert restart_delay_s(0) == 0


@given(failures=st.integers(1, 10**6))
def test_restarts_in_a_row_wait_longer_up_to_the_longest(failures: int) -> None:
    assert (
        RESTART_S[0] <= restart_delay_s(failures) <= restart_delay_s(failures + 1) <= RESTART_S[1]
    )


def test_questions_come_quickly_first_and_never_faster_than_that() -> None:
    pauses = poll_pauses_s()
    found = [next(pauses) for _ in range(20)]
    assert (found[0], found[-1]) == POLL_S
    assert found == sorted(found)


def test_the_reason_is_the_end_of_what_envoy_prints() -> None:
    output = 'error initializing configuration:\nname: "a"\n}\n: Proto constraint failed (X)\n\n'
    assert reason(output) == "Envoy refused the configuration: Proto constraint failed (X)"
    assert reason("") == "Envoy refused the configuration without a word"
    assert len(reason("x" * 10_000)) < 1100
