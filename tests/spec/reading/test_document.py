"""The tree from YAML's events: places, bounds, and what is refused."""

from itertools import pairwise

import pytest
import yaml

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.faults import Fault, Faults
from mainstay.spec.reading import document
from mainstay.spec.reading.document import Mapping, Node, Scalar, Sequence, read_document


def read(text: str | bytes) -> tuple[Node | None, list[Fault]]:
    faults = Faults()
    node = read_document(text.encode() if isinstance(text, str) else text, "f.yaml", faults)
    try:
        faults.raise_any()
    except ConfigInvalid as error:
        return node, [fault for fault in error.faults if isinstance(fault, Fault)]
    return node, []


def refused(text: str | bytes) -> Fault:
    node, faults = read(text)
    assert node is None
    assert len(faults) == 1
    return faults[0]


def test_each_node_knows_its_line_and_column() -> None:
    node, faults = read('a: 1\nb:\n  - x\n  - "é": [y]\n')
    assert not faults
    assert isinstance(node, Mapping)
    a, b = node.entries
    assert (a.name, a.place.line, a.place.column) == ("a", 1, 1)
    assert (a.value.place.line, a.value.place.column) == (1, 4)
    assert isinstance(b.value, Sequence)
    assert [(i.place.line, i.place.column) for i in b.value.items] == [(3, 5), (4, 5)]
    inner = b.value.items[1]
    assert isinstance(inner, Mapping)
    # Columns count characters, not bytes.
    assert inner.entries[0].value.place.column == 10


def test_quotes_make_a_text() -> None:
    node, _ = read("[1, '1', true, \"true\"]")
    assert isinstance(node, Sequence)
    assert [i.plain for i in node.items if isinstance(i, Scalar)] == [True, False, True, False]


def test_an_alias_stands_for_what_it_repeats() -> None:
    node, faults = read("a: &x {k: v}\nb: *x\n")
    assert not faults
    assert isinstance(node, Mapping)
    assert node.entries[0].value == node.entries[1].value


@pytest.mark.parametrize(
    ("text", "line", "column", "part"),
    [
        pytest.param("a: [1, 2\n", 2, 1, "not valid YAML", id="unclosed"),
        pytest.param("a: b: c\n", 1, 5, "not valid YAML", id="two colons"),
        pytest.param("a: 1\n---\nb: 2\n", 2, 1, "second document", id="two documents"),
        pytest.param("a: !!python/object:os.system {}\n", 1, 4, "tag", id="tag"),
        pytest.param("a: !x 1\n", 1, 4, "tag !x is not read", id="tag on a scalar"),
        pytest.param("a: *x\n", 1, 4, "alias *x has no anchor", id="unknown alias"),
        pytest.param("a: &x [*x]\n", 1, 8, "alias *x has no anchor", id="alias of itself"),
        pytest.param("[a]: 1\n", 1, 1, "a key is a collection", id="collection as key"),
        pytest.param(b"\xef\xbb\xbfa: 1\n", 1, 1, "byte order mark", id="BOM"),
        pytest.param("a: 1\n".encode("utf-16"), 1, 1, "UTF-16", id="UTF-16"),
        pytest.param("a: 1\n".encode("utf-16-be"), 1, 1, "NUL byte", id="UTF-16, no mark"),
        pytest.param("a: é\n".encode("latin-1"), 1, 4, "byte 0xe9", id="Latin-1"),
        pytest.param(b"a: 1\nb: x\x00y\n", 2, 5, "NUL byte", id="NUL"),
        pytest.param(b"a: 1\nb: \x1b[31m\n", 2, 4, "U+001B", id="escape sequence"),
        pytest.param('a: "\\ud800"\n', 1, 7, "not valid YAML", id="half a character"),
        pytest.param("[" * 100, 1, 33, "deeper than 32", id="deep"),
        pytest.param(f"a: {'x' * 70_000}\n", 1, 4, "longer than 65536", id="long text"),
        pytest.param("- x\n" * 60_000, 50_000, 3, "more than 50000 values", id="many"),
    ],
)
def test_what_is_refused_says_where(text: str | bytes, line: int, column: int, part: str) -> None:
    fault = refused(text)
    assert (fault.line, fault.column) == (line, column)
    assert part in fault.sentence


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\tb: 1\n", "indent with spaces, not with tabs"),
        ("a: {port: ${PORT}}\n", "within braces, quote what holds ${...}"),
    ],
)
def test_what_people_get_wrong_most_has_a_hint(text: str, hint: str) -> None:
    assert hint in refused(text).sentence


def test_a_large_file_is_refused_unread() -> None:
    fault = refused(b"[" * (document.FILE_BYTES_MAX + 1))
    assert "is larger than" in fault.sentence


def test_an_alias_is_counted_as_all_that_it_repeats() -> None:
    """Nine levels of nine aliases are 387 million values from 300 bytes."""
    names = "abcdefghi"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for above, name in pairwise(names):
        lines.append(f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]")
    assert "aliases counted in full" in refused("\n".join(lines)).sentence


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    """Each alias may add a level below the bound; together they must not pass it."""
    lines = ["x0: &x0 " + "[" * 20 + "]" * 20, "x1: [[[[[[[[[[[[*x0]]]]]]]]]]]]"]
    assert "levels by an alias" in refused("\n".join(lines)).sentence
    shallow = ["x0: &x0 " + "[" * 20 + "]" * 20, "x1: [[[[[[[[[[[*x0]]]]]]]]]]]"]
    assert read("\n".join(shallow))[1] == []


def test_a_key_declared_twice_is_a_fault_and_the_first_stays() -> None:
    node, faults = read("a:\n  - b: 1\n    c: 2\n    b: 3\n")
    assert [str(fault) for fault in faults] == [
        "f.yaml:4:5: a[0].b: is declared twice; the first is in line 2"
    ]
    assert isinstance(node, Mapping)


def test_merge_keys_are_refused_in_words() -> None:
    _, faults = read("a: &x {b: 1}\nc:\n  <<: *x\n")
    assert [(fault.line, fault.column) for fault in faults] == [(3, 3)]
    assert "merge keys" in faults[0].sentence


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_has_no_document_or_null(text: str) -> None:
    node, faults = read(text)
    assert faults == []
    assert node is None or (isinstance(node, Scalar) and node.text == "")


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"', "%YAML 1." + "1" * 6000 + "\n---\na: 1", '"\\ud800"']
)
def test_the_parser_in_python_refuses_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser, used where libyaml is missing, fails with errors of its own."""
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert refused(text).sentence
