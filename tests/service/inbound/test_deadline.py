"""How long a request may take."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.deadline import allowed_s

ENVOY = b"x-envoy-expected-rq-timeout-ms"
GRPC = b"grpc-timeout"
PLAIN = b"x-request-timeout"


@pytest.mark.parametrize(
    ("headers", "expected_s"),
    [
        ({}, 5.0),
        ({ENVOY: b"250"}, 0.25),
        ({ENVOY: b"0"}, 5.0),
        ({ENVOY: b"15000"}, 5.0),
        ({ENVOY: b"-1"}, 5.0),
        ({ENVOY: b"1e3"}, 5.0),
        ({GRPC: b"1S"}, 1.0),
        ({GRPC: b"100m"}, 0.1),
        ({GRPC: b"100u"}, 0.0001),
        ({GRPC: b"100n"}, 1e-7),
        ({GRPC: b"1H"}, 5.0),
        ({GRPC: b"0S"}, 0.0),
        ({GRPC: b"123456789S"}, 5.0),
        ({GRPC: b"1"}, 5.0),
        ({PLAIN: b"2"}, 2.0),
        ({PLAIN: b"2s"}, 2.0),
        ({PLAIN: b"0.25"}, 0.25),
        ({PLAIN: b".5"}, 0.5),
        ({PLAIN: b"250ms"}, 0.25),
        ({PLAIN: b"0"}, 0.0),
        ({PLAIN: b"nan"}, 5.0),
        ({PLAIN: b"inf"}, 5.0),
        ({PLAIN: b"1_0"}, 5.0),
        ({PLAIN: b" 1"}, 5.0),
        ({PLAIN: "١".encode()}, 5.0),
        # Sent twice: the shells join them.
        ({PLAIN: b"2, 1"}, 1.0),
        ({PLAIN: b"0.5,3s"}, 0.5),
        ({PLAIN: b"junk, 250ms, "}, 0.25),
        ({PLAIN: b","}, 5.0),
        ({ENVOY: b"0, 700"}, 0.7),
        ({GRPC: b"1S, 100m"}, 0.1),
        ({PLAIN: b"4," * 7 + b"1"}, 1.0),
        ({PLAIN: b"4," * 7 + b"1,1"}, 4.0),
        ({ENVOY: b"900", GRPC: b"800m", PLAIN: b"0.7"}, 0.7),
        ({ENVOY: b"700", GRPC: b"800m", PLAIN: b"0.9"}, 0.7),
        ({ENVOY: b"900", GRPC: b"700m", PLAIN: b"junk"}, 0.7),
    ],
)
def test_the_least_holds(headers: dict[bytes, bytes], expected_s: float) -> None:
    assert allowed_s(headers.get, 5.0) == pytest.approx(expected_s)


def test_without_any_bound_there_is_none() -> None:
    assert allowed_s(dict[bytes, bytes]().get, math.inf) == math.inf


@given(st.dictionaries(st.sampled_from([ENVOY, GRPC, PLAIN]), st.binary(max_size=40)))
def test_no_header_raises_or_lengthens(headers: dict[bytes, bytes]) -> None:
    assert 0.0 <= allowed_s(headers.get, 5.0) <= 5.0
