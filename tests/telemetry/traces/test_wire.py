import pytest
from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[import-untyped]  # It ships no types.
from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.traces import wire

numbers = st.integers(-(2**63), 2**64 - 1)


@given(numbers)
def test_a_number_is_as_protobuf_writes_it(number: int) -> None:
    written = wire.varint(number)
    read, end = _DecodeVarint(written, 0)
    assert (read, end) == (number % 2**64, len(written))


@given(st.dictionaries(st.integers(1, 60), numbers | st.binary(max_size=300), max_size=9))
def test_what_is_written_is_read(fields: dict[int, int | bytes]) -> None:
    message = b"".join(
        wire.number(field, value) if isinstance(value, int) else wire.block(field, value)
        for field, value in fields.items()
    )
    skipped = wire.fixed64(61, 5) + wire.fixed32(62, 5) + wire.double(63, 0.5)
    read = wire.fields_of(skipped + message)
    assert read == {k: v % 2**64 if isinstance(v, int) else v for k, v in fields.items()}


@given(st.binary(max_size=60))
def test_anything_is_read_or_refused(message: bytes) -> None:
    """A collector's answer comes from outside: nothing else is raised, and it ends."""
    try:
        fields = wire.fields_of(message)
    except wire.Truncated:
        return
    assert len(fields) <= len(message)


@pytest.mark.parametrize(
    "message", [b"\x08", b"\x0a\x05ab", b"\x80" * 11, b"\x09abc", b"\x0b", b"\x0d"]
)
def test_a_message_that_is_cut_short_is_refused(message: bytes) -> None:
    with pytest.raises(wire.Truncated):
        wire.fields_of(message)
