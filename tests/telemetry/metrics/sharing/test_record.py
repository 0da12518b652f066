import math
import zlib

from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.sharing import record as record_module
from mainstay.telemetry.metrics.sharing.record import Record, decode, encode
from mainstay.telemetry.metrics.snapshot import Across, Family, Labels, Snapshot, Values

FAMILY = (
    b'{"absorbed": [], "families": [{"name": "x", "kind": "%s", "help": "", "unit": "",'
    b' "labels": ["%s"], "bounds": [], "across": "sum", "series": [%s]}]}'
)

words = st.text(max_size=10)
figures = st.floats(allow_nan=False)


@st.composite
def records(draw: st.DrawFn) -> Record:
    counted: Snapshot = {}
    for number in range(draw(st.integers(0, 4))):
        labels = draw(st.sampled_from([(), ("a",), ("a", "b")]))
        kind = draw(st.sampled_from(list(Kind)))
        bounds = (0.5, 1.0) if kind is Kind.HISTOGRAM else ()
        family = Family(
            name=f"m{number}", kind=kind, help=draw(words), labels=labels, bounds=bounds,
            across=draw(st.sampled_from(list(Across))),
        )  # fmt: skip
        keys = st.tuples(*[words for _ in labels])
        values = st.tuples(*[figures for _ in range(family.width)])
        counted[family] = dict(draw(st.dictionaries(keys, values, max_size=4)))
    return Record(counted=counted, absorbed=tuple(draw(st.lists(words, max_size=3))))


@given(records())
def test_what_was_written_is_read(record: Record) -> None:
    assert decode(encode(record)) == record


@given(records(), st.data())
def test_half_a_file_is_as_good_as_none(record: Record, data: st.DataObject) -> None:
    content = encode(record)
    assert decode(content[: data.draw(st.integers(0, len(content) - 1))]) is None


@given(records(), st.data())
def test_a_byte_that_is_another_is_noticed(record: Record, data: st.DataObject) -> None:
    content = bytearray(encode(record))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    assert decode(bytes(content)) is None


@given(st.binary(max_size=200))
def test_no_file_is_too_strange(content: bytes) -> None:
    assert decode(content) is None
    # The same with a head that fits.
    head = record_module._HEAD.pack(b"MSM1", len(content), 0, zlib.crc32(content))
    found = decode(head + content)
    assert found is None or found.counted == {}


def test_a_header_of_other_shape_is_none() -> None:
    for header in (
        b"[]",
        b"{}",
        b'{"absorbed": 3, "families": []}',
        b'{"absorbed": [], "families": [{"name": "x"}]}',
        FAMILY % (b"counter", b"a", b"[]"),
        FAMILY % (b"poem", b"a", b'["b"]'),
        b"[" * 20_000,
    ):
        crc = zlib.crc32(header)
        assert decode(record_module._HEAD.pack(b"MSM1", len(header), 0, crc) + header) is None


def test_numbers_are_kept_whole() -> None:
    family = Family(name="x", kind=Kind.GAUGE, help="x", labels=("n",))
    told: dict[Labels, Values] = {
        (str(n),): (value,) for n, value in enumerate([0.1, 1e300, 2.0**53, -math.inf])
    }
    found = decode(encode(Record(counted={family: dict(told)})))
    assert found is not None
    assert found.counted == {family: told}
