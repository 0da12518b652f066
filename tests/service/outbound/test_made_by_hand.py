"""Options made of values instead of texts are held to the same bounds; a reset forgets all."""

import pytest

from mainstay import Breaker
from mainstay.core.errors import ConfigInvalid
from mainstay.service.outbound.breaker.circuit import Circuit
from mainstay.spec.kinds.units import ShareOfCalls


@pytest.mark.parametrize(
    "share",
    [
        ShareOfCalls(share=0.5, calls_min=4),
        ShareOfCalls(share=0.5, calls_min=4, window_s=1.0, window_calls=9),
        ShareOfCalls(share=0.5, calls_min=4, window_calls=0),
        ShareOfCalls(share=0.5, calls_min=4, window_calls=3),
        ShareOfCalls(share=0.5, calls_min=4, window_s=0.0),
        ShareOfCalls(share=0.0, calls_min=4, window_s=1.0),
        ShareOfCalls(share=1.5, calls_min=4, window_s=1.0),
        ShareOfCalls(share=0.5, calls_min=0, window_s=1.0),
    ],
)
def test_a_share_that_no_text_could_say_is_refused(share: ShareOfCalls) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Breaker(rate=share)
    expected = "a share of at least one call over one window"
    assert str(caught.value) == f"Breaker(rate=...): expected {expected}, found {share!r}"


@pytest.mark.parametrize(
    "share",
    [
        ShareOfCalls(share=1.0, calls_min=1, window_s=0.5),
        ShareOfCalls(share=0.01, calls_min=4, window_calls=4),
    ],
)
def test_a_share_at_its_bounds_is_taken(share: ShareOfCalls) -> None:
    assert Breaker(rate=share).rate is share


def test_a_share_made_by_hand_is_the_one_of_its_text() -> None:
    made = Breaker(rate=ShareOfCalls(share=0.5, calls_min=4, window_calls=10))
    assert made == Breaker(rate="50% of 4 in 10 calls")


def test_a_reset_of_a_closed_circuit_forgets_its_windows() -> None:
    circuit = Circuit(Breaker(failures=100, rate="60% of 4 in 10 calls"))
    for _ in range(2):
        circuit.failed(circuit.closed, now_s=0.0, took_s=0.0)
    assert circuit.counts()["failure_window_calls"] == 2
    assert circuit.reset() is None
    assert circuit.counts()["failure_window_calls"] == 0
