"""Protocol buffers as they are on the wire: the five forms that OTLP needs. Pure.

Source: Protocol Buffers, "Encoding". Field numbers are the caller's, 1 to 63; absent values are
left out, as proto3 does.
"""

import struct

_pack_fixed64 = struct.Struct("<Q").pack
_pack_fixed32 = struct.Struct("<I").pack
_pack_double = struct.Struct("<d").pack

_VARINT, FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5
"""How a value is on the wire."""

SHORT = 128
SMALL = tuple(bytes((number,)) for number in range(SHORT))
"""Numbers of one byte, lengths mostly."""
_LONG = 1024
_OTHERS = tuple(bytes((number & 0x7F | 0x80, number >> 7)) for number in range(_LONG))
"""Those of two bytes, by the number: lengths of spans."""
_UINT64 = (1 << 64) - 1


class Truncated(ValueError):
    """A message ends before it is whole, or is none."""


def varint(number: int) -> bytes:
    """Return a number of 64 bits; a negative one as its complement of two, in ten bytes."""
    if 0 <= number < _LONG:
        return SMALL[number] if number < SHORT else _OTHERS[number]
    number &= _UINT64
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004  Seven bits a byte.
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(field: int, form: int) -> bytes:
    """Return what stands before a value."""
    return varint(field << 3 | form)


_FIELDS_MAX = 64
_VARINT_TAGS, _FIXED64_TAGS, _BYTES_TAGS, _FIXED32_TAGS = (
    tuple(tag(field, form) for field in range(_FIELDS_MAX))
    for form in (_VARINT, FIXED64, BYTES, _FIXED32)
)
"""Looked up, and lengths too where they are short: most of what encoding costs is calls."""


def number(field: int, value: int) -> bytes:
    """Return an integer, a boolean or an enumeration."""
    return _VARINT_TAGS[field] + (SMALL[value] if 0 <= value < SHORT else varint(value))


def double(field: int, value: float) -> bytes:
    """Return a floating-point number."""
    return _FIXED64_TAGS[field] + _pack_double(value)


def fixed64(field: int, value: int) -> bytes:
    """Return a ``fixed64``."""
    return _FIXED64_TAGS[field] + _pack_fixed64(value & _UINT64)


def fixed32(field: int, value: int) -> bytes:
    """Return a ``fixed32``."""
    return _FIXED32_TAGS[field] + _pack_fixed32(value & 0xFFFFFFFF)


def block(field: int, value: bytes) -> bytes:
    """Return bytes, or a message within a message."""
    size = len(value)
    return _BYTES_TAGS[field] + (SMALL[size] if size < SHORT else varint(size)) + value


def text(field: int, value: str) -> bytes:
    """Return a text. Half a surrogate, which is no text, becomes a question mark."""
    data = value.encode("utf-8", "replace")
    size = len(data)
    return _BYTES_TAGS[field] + (SMALL[size] if size < SHORT else varint(size)) + data


def fields_of(message: bytes) -> dict[int, int | bytes]:
    """Return the fields of a short message: numbers, and bytes of what has a length.

    Of a field that comes again, the last counts; fixed ones are passed over.

    Raises:
        Truncated: It is no message.
    """
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        key, at = _varint_at(message, at)
        field, form = key >> 3, key & 7
        if form == _VARINT:
            found[field], at = _varint_at(message, at)
        elif form == BYTES:
            size, at = _varint_at(message, at)
            found[field] = message[at : at + size]
            at += size
        elif form in {FIXED64, _FIXED32}:
            at += 8 if form == FIXED64 else 4
        else:
            raise Truncated(f"no form {form}")
    if at != len(message):
        raise Truncated("the last field is cut short")
    return found


def _varint_at(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  The last one.
            return value & _UINT64, at
    raise Truncated("a number is cut short")
