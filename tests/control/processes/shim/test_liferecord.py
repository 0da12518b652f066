import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.shim.liferecord import (
    LINE_CHARS_MAX,
    LINES_MAX,
    OBJECT_CHARS_MAX,
    json_text,
    last_lines,
    write,
)

leaves = (
    st.none()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=0x10FFFF))
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(value=values)
def test_the_text_is_json_in_ascii_that_means_the_same(value: object) -> None:
    text = json_text(value)
    assert text.isascii()
    assert json.loads(text) == value


@given(tail=st.binary(max_size=4000))
def test_any_bytes_give_bounded_lines(tail: bytes) -> None:
    found = last_lines(tail)
    assert len(found) <= LINES_MAX
    assert all(len(line) <= LINE_CHARS_MAX and "\n" not in line for line in found)


def test_a_line_in_json_stays_whole_where_it_can() -> None:
    line = json.dumps({"event": "failed", "exception": "x" * 5000})
    assert last_lines(f"{line}\n{'y' * 5000}\n".encode()) == [line, "y" * LINE_CHARS_MAX]
    assert len(last_lines(b"{" + b"z" * 30_000)[0]) == OBJECT_CHARS_MAX


def test_the_last_lines_are_the_last() -> None:
    tail = b"".join(b"line %d\r\n" % number for number in range(30))
    assert last_lines(tail) == [f"line {number}" for number in range(10, 30)]
    assert last_lines(tail, lines_max=1) == ["line 29"]
    assert last_lines(b"") == []


def test_a_record_replaces_the_one_before_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert write(bytes(path), {"pid": 1})
    assert write(bytes(path), {"pid": 2})
    assert json.loads(path.read_text()) == {"pid": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_no_error(tmp_path: Path) -> None:
    assert not write(bytes(tmp_path / "missing" / "a.json"), {})
    (tmp_path / "a.json").mkdir()
    assert not write(bytes(tmp_path / "a.json"), {})
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
