"""What status codes and pushback of gRPC say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.adapters.grpc_clients.status import never_connected, pushback_s


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("1500", 1.5),
        (b"20", 0.02),
        ("-1", -0.001),
        ("-5000", -1),
        ("", -1),
        ("soon", -1),
        ("1e3", -1),
        ("9" * 400, -1),
        (b"\xff", -1),
    ],
)
def test_pushback(value: str | bytes | None, seconds: float | None) -> None:
    assert pushback_s(value) == seconds


@given(st.one_of(st.text(), st.binary()))
def test_any_pushback_is_read(value: str | bytes) -> None:
    seconds = pushback_s(value)
    assert seconds is not None
    assert -1 <= seconds <= 1e6


def test_only_the_core_itself_says_that_nothing_left() -> None:
    details = "failed to connect to all addresses; last error: refused"
    assert never_connected("UNAVAILABLE", details)
    assert not never_connected("UNAVAILABLE", "Socket closed")
    assert not never_connected("UNAVAILABLE", None)
    assert not never_connected("INTERNAL", details)
