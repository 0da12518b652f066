"""Errors that a middleware has compressed."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.problems.encoded import decoded

TEXT = b'{"detail":"No such bike."}'
BYTES_MAX = 1000


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), " X-GZIP "),
        (zlib.compress(TEXT), "deflate"),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "deflate"],
)
def test_what_is_read(body: bytes, encoding: str) -> None:
    assert decoded(body, encoding, bytes_max=BYTES_MAX) == TEXT


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT, "br"),
        (TEXT, "gzip"),
        (gzip.compress(TEXT)[:-9], "gzip"),
        (gzip.compress(TEXT), "gzip, gzip"),
        (gzip.compress(b"a" * (BYTES_MAX + 1)), "gzip"),
        (gzip.compress(b"\0" * 50_000_000), "gzip"),
    ],
    ids=["other", "not-encoded", "cut-off", "twice", "one-too-long", "bomb"],
)
def test_what_cannot_be_read_says_nothing(body: bytes, encoding: str) -> None:
    assert decoded(body, encoding, bytes_max=BYTES_MAX) == b""


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_no_body_raises_or_grows(body: bytes, encoding: str) -> None:
    assert len(decoded(body, encoding, bytes_max=BYTES_MAX)) <= BYTES_MAX
