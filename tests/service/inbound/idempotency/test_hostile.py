"""Whatever a client or a store says: a key or none, an answer or none, and never an exception."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainstay.service.inbound.idempotency.answer import (
    Answer,
    decode,
    encode,
    fingerprint,
    lasting,
)
from mainstay.service.inbound.idempotency.key import KEY_BYTES_MAX, parse_key, record_name

RECORD = re.compile(r"p:[0-9a-f]{40}")
HEADERS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=5)


@settings(max_examples=500)
@given(st.binary(max_size=600))
@example(b'"' + b"\\\\" * 255 + b'"')
@example(b'"' + b"\\\\" * 256 + b'"')
@example(b'"a"; b=1')
@example(b'\xff"')
def test_any_header_is_a_key_or_none(header: bytes) -> None:
    key = parse_key(header)
    if key is not None:
        assert 1 <= len(key) <= KEY_BYTES_MAX
        assert key.decode("ascii").isprintable()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255))
def test_any_structured_string_is_the_key_that_it_says(text: str) -> None:
    """RFC 9651, section 4.1.6, read backwards."""
    header = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert parse_key(header.encode()) == text.encode()


def test_with_and_without_quotes_it_is_the_same_key() -> None:
    assert parse_key(b"8e03978e-40d5") == parse_key(b' "8e03978e-40d5" ') == b"8e03978e-40d5"


@given(
    st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=50)
)
def test_two_callers_or_keys_have_two_records(a: bytes, b: bytes, c: bytes, d: bytes) -> None:
    one, other = record_name("p:", a, b), record_name("p:", c, d)
    assert RECORD.fullmatch(one)
    assert (one == other) is ((a, b) == (c, d))


REQUESTS = st.tuples(
    st.text(max_size=10), st.text(max_size=10), st.binary(max_size=10), st.binary(max_size=10)
)


@given(REQUESTS, REQUESTS)
def test_two_requests_have_two_fingerprints(
    one: tuple[str, str, bytes, bytes], other: tuple[str, str, bytes, bytes]
) -> None:
    latin = all(char < "\u0100" for char in one[0] + other[0])
    same = fingerprint(*one) == fingerprint(*other)
    assert same is (one == other) or not latin


@settings(max_examples=500)
@given(st.binary(max_size=200))
@example(b"[200,[],true]\n")
@example(b"[200,[],1]\nx")
@example(b'[200,[["a","\\u0100"]],true]\nx')
@example(b"[true,[],true]\nx")
@example(b"[" * 200 + b"\n")
@example(b'{"a":1,"b":2,"c":3}\nx')
def test_any_bytes_of_a_store_are_an_answer_or_none(data: bytes) -> None:
    answer = decode(data)
    if answer is not None:
        assert 200 <= answer.status <= 599


@given(st.integers(200, 599), HEADERS, st.none() | st.binary(max_size=100))
def test_an_answer_comes_back_as_it_was(
    status: int, headers: list[tuple[bytes, bytes]], body: bytes | None
) -> None:
    answer = Answer(status=status, headers=tuple(headers), body=body)
    assert decode(encode(answer)) == answer


@given(HEADERS)
def test_no_credential_and_no_header_of_the_connection_lasts(
    headers: list[tuple[bytes, bytes]],
) -> None:
    mixed = [*headers, (b"Set-Cookie", b"a=b"), (b"CONNECTION", b"close"), (b"Date", b"x")]
    assert {name for name, _ in lasting(tuple(mixed))} <= {name.lower() for name, _ in headers}
