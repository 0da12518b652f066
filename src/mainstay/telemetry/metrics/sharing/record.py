"""What one process has counted, as the bytes of its file. Decisions alone.

A file is a header in JSON, which says which series there are, and behind it all figures as numbers
of eight bytes: those change all the time, and the header nearly never. A checksum is over both, so
that half a file, or somebody else's, is as good as none.
"""

import functools
import json
import struct
import sys
import zlib
from array import array
from dataclasses import dataclass

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.snapshot import Across, Family, Labels, Snapshot

RECORD_BYTES_MAX = 32 * 1024 * 1024
"""Of one process: some 200,000 histograms. More is neither written nor read."""

_MAGIC = b"MSM1"
_HEAD = struct.Struct("<4sIII")
_FIGURE_BYTES = 8
_HEADERS_KEPT = 16
"""So many headers are kept as they were read: that of each worker stays the same for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a file holds.

    Attributes:
        counted: The figures.
        absorbed: Names of files whose figures are in these already, should they still be there.
    """

    counted: Snapshot
    absorbed: tuple[str, ...] = ()


def encode(record: Record) -> bytes:
    """Return a record as the bytes of a file.

    Raises:
        ValueError: It would be longer than ``RECORD_BYTES_MAX``.
    """
    families: list[dict[str, object]] = []
    figures = array("d")
    for family, series in record.counted.items():
        families.append(_told(family, list(series)))
        for values in series.values():
            figures.extend(values)
    if sys.byteorder == "big":
        figures.byteswap()
    header = json.dumps({"absorbed": record.absorbed, "families": families}).encode()
    body = header + figures.tobytes()
    if len(body) > RECORD_BYTES_MAX:
        raise ValueError(f"figures of more than {RECORD_BYTES_MAX} bytes")
    return _HEAD.pack(_MAGIC, len(header), len(figures), zlib.crc32(body)) + body


def decode(content: bytes) -> Record | None:
    """Return what the bytes of a file hold, or None where they are none of ours, or not whole."""
    if not _HEAD.size < len(content) <= RECORD_BYTES_MAX + _HEAD.size:
        return None
    magic, header_bytes, count, check = _HEAD.unpack_from(content)
    body = content[_HEAD.size :]
    if (
        magic != _MAGIC
        or header_bytes + count * _FIGURE_BYTES != len(body)
        or zlib.crc32(body) != check
    ):
        return None
    figures = array("d")
    figures.frombytes(body[header_bytes:])
    if sys.byteorder == "big":
        figures.byteswap()
    header = _read_header(body[:header_bytes])
    if header is None or sum(family.width * len(keys) for family, keys in header[1]) != count:
        return None
    return Record(counted=_filled(header[1], figures), absorbed=header[0])


_Header = tuple[tuple[str, ...], list[tuple[Family, list[Labels]]]]


def _filled(families: list[tuple[Family, list[Labels]]], figures: "array[float]") -> Snapshot:
    counted: Snapshot = {}
    at = 0
    for family, keys in families:
        width, series = family.width, counted.setdefault(family, {})
        for labels in keys:
            series[labels] = tuple(figures[at : at + width])
            at += width
    return counted


def _told(family: Family, keys: list[Labels]) -> dict[str, object]:
    return {
        "name": family.name,
        "kind": family.kind.value,
        "help": family.help,
        "unit": family.unit,
        "labels": family.labels,
        "bounds": family.bounds,
        "across": family.across.value,
        "series": keys,
    }


@functools.lru_cache(maxsize=_HEADERS_KEPT)
def _read_header(header: bytes) -> _Header | None:
    try:
        found = json.loads(header)
        families = [
            (_family(one), [tuple(map(str, labels)) for labels in one["series"]])
            for one in found["families"]
        ]
        absorbed = tuple(map(str, found["absorbed"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if any(len(labels) != len(family.labels) for family, keys in families for labels in keys):
        return None
    return absorbed, families


def _family(told: dict[str, list[float]]) -> Family:
    return Family(
        name=str(told["name"]),
        kind=Kind(told["kind"]),
        help=str(told["help"]),
        unit=str(told["unit"]),
        labels=tuple(map(str, told["labels"])),
        bounds=tuple(map(float, told["bounds"])),
        across=Across(told["across"]),
    )
