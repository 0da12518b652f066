import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.exposition.negotiation import wants_gzip, wants_openmetrics

PROMETHEUS_3 = (
    b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    b"application/openmetrics-text;version=0.0.1;q=0.5,"
    b"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        (PROMETHEUS_3, True),
        (b"application/openmetrics-text", True),
        (b"Application/OpenMetrics-Text; Version=1.0.0", True),
        (b"application/openmetrics-text; version=1.0.0; q=0.5, text/plain; q=0.5", True),
        (b"application/openmetrics-text; q=0.4, text/plain; q=0.5", False),
        (b"application/openmetrics-text; q=0, text/plain; q=0", False),
        (b"application/openmetrics-text; version=2.0.0", False),
        (b"application/openmetrics-text; q=nonsense", False),
        (b"text/plain", False),
        (b"*/*", False),
        (b"text/html,application/xhtml+xml", False),
        (b"", False),
        (b"application/openmetrics-text," * 1000, False),
        (None, False),
    ],
)
def test_openmetrics_is_told_to_whom_it_is_dearer(
    accept: bytes | None,
    openmetrics: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        (b"gzip", True),
        (b"gzip, deflate, br", True),
        (b"deflate, GZIP;q=0.5", True),
        (b"*", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0, *", False),
        (b"identity", False),
        (b"", False),
        (None, False),
    ],
)
def test_packed_is_what_may_be(
    accept: bytes | None,
    packed: bool,  # noqa: FBT001  A parameter of the test.
) -> None:
    assert wants_gzip(accept) is packed


@given(st.binary(max_size=300))
def test_no_header_is_too_strange(header: bytes) -> None:
    assert wants_openmetrics(header) in {True, False}
    assert wants_gzip(header) in {True, False}
