"""Protocol buffers as they are on the wire: the five forms that OTLP needs. Pure.

Source: Protocol Buffers, "Encoding". Field numbers are the caller's; absent values are left out,
as proto3 does.
"""

import struct

_pack_fixed64 = struct.Struct("<Q").pack
_pack_fixed32 = struct.Struct("<I").pack
_pack_double = struct.Struct("<d").pack

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_SMALL = tuple(bytes((number,)) for number in range(128))
_UINT64 = (1 << 64) - 1


class Truncated(ValueError):
    """A message ends before it is whole, or is none."""


def varint(number: int) -> bytes:
    """Return a number of 64 bits; a negative one as its complement of two, in ten bytes."""
    if 0 <= number < len(_SMALL):
        return _SMALL[number]
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


def number(field: int, value: int) -> bytes:
    """Return an integer, a boolean or an enumeration."""
    return tag(field, _VARINT) + varint(value)


def double(field: int, value: float) -> bytes:
    """Return a floating-point number."""
    return tag(field, _FIXED64) + _pack_double(value)


def fixed64(field: int, value: int) -> bytes:
    """Return a ``fixed64``."""
    return tag(field, _FIXED64) + _pack_fixed64(value & _UINT64)


def fixed32(field: int, value: int) -> bytes:
    """Return a ``fixed32``."""
    return tag(field, _FIXED32) + _pack_fixed32(value & 0xFFFFFFFF)


def block(field: int, value: bytes) -> bytes:
    """Return bytes, or a message within a message."""
    return tag(field, _BYTES) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """Return a text. Half a surrogate, which is no text, becomes a question mark."""
    return block(field, value.encode("utf-8", "replace"))


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
        elif form == _BYTES:
            size, at = _varint_at(message, at)
            found[field] = message[at : at + size]
            at += size
        elif form in {_FIXED64, _FIXED32}:
            at += 8 if form == _FIXED64 else 4
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
