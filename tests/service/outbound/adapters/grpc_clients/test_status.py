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


REFUSED = "failed to connect to all addresses; last error: refused"
DOWN = "TRANSIENT_FAILURE"


@pytest.mark.parametrize("before", ["IDLE", "CONNECTING", DOWN])
def test_nothing_left_where_the_channel_had_no_connection_and_gets_none(before: str) -> None:
    assert never_connected("UNAVAILABLE", REFUSED, before=before, after=DOWN, spoken=False)


@pytest.mark.parametrize(
    ("code", "details", "before", "after", "spoken"),
    [
        ("INTERNAL", REFUSED, "IDLE", DOWN, False),
        ("UNAVAILABLE", "Socket closed", "IDLE", DOWN, False),
        ("UNAVAILABLE", None, "IDLE", DOWN, False),
        ("UNAVAILABLE", REFUSED, "READY", DOWN, False),
        ("UNAVAILABLE", REFUSED, "IDLE", "READY", False),
        ("UNAVAILABLE", REFUSED, "IDLE", "IDLE", False),
        ("UNAVAILABLE", REFUSED, "IDLE", "UNKNOWN", False),
        ("UNAVAILABLE", REFUSED, "IDLE", DOWN, True),
    ],
)
def test_where_unsure_it_left(
    code: str, details: str | None, before: str, after: str, *, spoken: bool
) -> None:
    assert not never_connected(code, details, before=before, after=after, spoken=spoken)
