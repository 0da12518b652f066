"""Mixed requests from files: read alike in every format, and every fault with its line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.control.load.plan import TARGETS_MAX
from mainstay.control.load.requests_file import read_requests
from mainstay.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from mainstay.control.load import Target

BASE = "http://127.0.0.1:8080"
Write = Callable[[str, str], Path]

YAML = """\
base: http://127.0.0.1:8080/shop/
requests:
  - {path: /products, weight: 6}
  - name: one product
    paths: [/products/1, /products/2?full=1]
    weight: 3
    headers: {X-Trace: "on"}
  - name: order
    method: post
    path: /orders
    bodies:
      - {sku: A1, count: 2, gift: false, note: null}
      - {sku: "2", count: 1.5}
    expect: [201, 409]
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def faults(path: Path, base: str | None = BASE) -> list[str]:
    """Return the faults without the folder in front."""
    with pytest.raises(ConfigInvalid) as invalid:
        read_requests(path, base=base)
    return [str(fault).removeprefix(f"{path}:") for fault in invalid.value.faults]


def test_yaml(write: Write) -> None:
    products, product, order = read_requests(write("mix.yaml", YAML))
    assert (products.name, products.paths, products.weight) == (
        "GET /shop/products", ("/shop/products",), 6,
    )  # fmt: skip
    assert product.paths == ("/shop/products/1", "/shop/products/2?full=1")
    assert product.headers == (("X-Trace", "on"),)
    assert (order.method, order.expect) == ("POST", frozenset({201, 409}))
    assert [json.loads(body) for body in order.bodies] == [
        {"sku": "A1", "count": 2, "gift": False, "note": None},
        {"sku": "2", "count": 1.5},
    ]
    assert order.headers == (("Content-Type", "application/json"),)


def test_json_lines_say_the_same_as_yaml(write: Write) -> None:
    lines = [
        {"path": "/shop/products", "weight": 6},
        {
            "name": "one product",
            "paths": ["/shop/products/1", "/shop/products/2?full=1"],
            "weight": 3,
            "headers": {"X-Trace": "on"},
        },
        {
            "name": "order",
            "method": "post",
            "path": "/shop/orders",
            "bodies": [
                {"sku": "A1", "count": 2, "gift": False, "note": None},
                {"sku": "2", "count": 1.5},
            ],
            "expect": [201, 409],
        },
    ]
    text = "# the shop\n\n" + "\n".join(json.dumps(line) for line in lines)
    assert read_requests(write("mix.jsonl", text), base=BASE) == read_requests(
        write("mix.yaml", YAML)
    )


def test_plain_lines(write: Write) -> None:
    text = (
        "# comment\n/products\n\nPOST /orders weight=2 name=order expect=2xx\nhttp://localhost/x\n"
    )
    first, order, third = read_requests(write("mix.txt", text), base=BASE)
    assert (first.name, first.method, first.weight) == ("GET /products", "GET", 1)
    assert (order.name, order.method, order.weight) == ("order", "POST", 2)
    assert 201 in order.expect
    assert 404 not in order.expect
    assert (third.origin.host, third.origin.port) == ("localhost", 80)


def test_text_bodies_are_sent_as_they_stand(write: Write) -> None:
    """Only collections become JSON: neither 007 nor a text in quotes is touched."""
    found = read_requests(
        write("mix.yaml", '- {path: /, method: PUT, bodies: [007, "a: b", [1, "2"]]}'), base=BASE
    )
    assert found[0].bodies == (b"007", b"a: b", b'[1,"2"]')


def test_headers_of_the_command_line_give_way_to_those_of_the_file(write: Write) -> None:
    text = "- {path: /a, headers: {x-a: file}}\n- {path: /b}\n"
    found = read_requests(
        write("mix.yaml", text), base=BASE, headers=(("X-A", "line"), ("X-B", "line"))
    )
    assert found[0].headers == (("x-a", "file"), ("X-B", "line"))
    assert found[1].headers == (("X-A", "line"), ("X-B", "line"))


def test_every_fault_comes_at_once_with_its_line(write: Write) -> None:
    text = """\
- {path: products}
- {path: /a, url: http://h/}
- {path: /b, wieght: 2}
- {path: /c, weight: heavy, method: "G T"}
- {path: /d, headers: {"Host\\n": x, Ok: y}}
- {path: /e, headers: {X-Token: "s3cret\\r\\nX: y"}}
- {path: /f, body: a, bodies: [b]}
- {path: /g, name: twice}
- {path: /h, name: twice}
- {path: /i, expect: sometimes}
- just a text
- {url: "http://ann:hunter2@h/"}
- {path: /j, paths: []}
- {paths: []}
"""
    found = faults(write("mix.yaml", text))
    lines = [int(fault.split(":")[0]) for fault in found]
    assert sorted(set(lines)) == [line for line in range(1, 15) if line != 8]
    text = "\n".join(found)
    assert "did you mean `weight`?" in text
    assert "the request in line 8 has this name already" in text
    for secret in ("s3cret", "hunter2"):
        assert secret not in text


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("mix.jsonl", '{"path": "/a"}\n{"path": }', "2:10: is not JSON"),
        ("mix.jsonl", '{"path": "/a", "path": "/b"}', "1:1: has a key twice"),
        ("mix.jsonl", "[" * 5000 + "]" * 5000, "1:1: is"),
        ("mix.jsonl", '{"path": "/\\ud800"}', "half a character"),
        ("mix.jsonl", "9" * 10_000, "1:1: is not JSON that is read"),
        ("mix.txt", "GET", "1:1: a URL or a path is missing"),
        ("mix.txt", "\n/a colour=red", '2:1: "colour=red" is not one of'),
        ("mix.txt", "# nothing", "holds no request"),
        ("mix.yaml", "requests: 3", "1:11: is not a list"),
        ("mix.yaml", "request: []", "did you mean `requests`?"),
        ("mix.yaml", "{base: nowhere, requests: [{path: /}]}", "base: not a URL"),
        ("mix.yaml", "[", "is not valid YAML"),
        ("mix.yaml", "a: &a [*a, *a]", "no anchor"),
        ("mix.yaml", "", "holds no request"),
        ("mix.txt", "/x\n" * (TARGETS_MAX + 5), f"more than {TARGETS_MAX} requests"),
    ],
)
def test_broken_files(write: Write, name: str, text: str, fault: str) -> None:
    assert fault in "\n".join(faults(write(name, text)))


def test_a_path_without_a_base_is_a_fault(write: Write) -> None:
    path = write("mix.txt", "/a\nhttp://h/b")
    assert [fault.partition(" ")[0] for fault in faults(path, base=None)] == ["1:1:"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read" in faults(tmp_path / "none.yaml")[0]
    (tmp_path / "latin.txt").write_bytes(b"/a\n/\xff\n")
    assert faults(tmp_path / "latin.txt") == ["2:1: is not UTF-8 text"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    suffix=st.sampled_from([".yaml", ".jsonl", ".txt"]),
)
def test_any_file_is_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    found: Sequence[Target] = ()
    faults: Sequence[object] = ()
    try:
        found = read_requests(path, base=BASE)
    except ConfigInvalid as invalid:
        faults = invalid.faults
    assert bool(found) != bool(faults)
    assert all(str(fault).isprintable() for fault in faults)
    assert not [fault for one in found for fault in one.faults()]
