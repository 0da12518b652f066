"""A mix of requests from a file: YAML, JSON lines or plain lines; every fault with its line.

All three become the same small tree that knows its places, so that one reader judges them all.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainstay.control.load.plan import TARGETS_MAX
from mainstay.control.load.request_entry import EntryReader
from mainstay.control.load.target import Target, TargetInvalid, distinct, parse_url
from mainstay.core.errors import ConfigInvalid
from mainstay.spec.faults import Faults, Place, fault_at, nearest, shown
from mainstay.spec.reading.document import (
    DEPTH_MAX,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    read_document,
)
from mainstay.spec.reading.files import Unreadable, read_bounded

FILE_BYTES_MAX = 16 * 2**20
"""Of JSON lines and plain lines; YAML has the smaller bound of ``spec.document``."""
_METHOD = re.compile(r"[A-Za-z]{1,32}")
_LINE_KEYS = ("name", "weight", "expect")
_TOP_KEYS = ("base", "requests")


def read_requests(
    path: Path, *, base: str | None = None, headers: tuple[tuple[str, str], ...] = ()
) -> tuple[Target, ...]:
    """Return the targets that a file declares.

    Args:
        path: ``.yaml`` or ``.yml``; ``.jsonl`` or ``.ndjson``; anything else is plain lines.
        base: URL that paths of the file stand under; a ``base`` in the file comes first.
        headers: Sent with every request that does not have a header of that name itself.

    Raises:
        ConfigInvalid: The file cannot be read, or has faults: all of them, each with its place.
    """
    faults = Faults()
    start = Place(file=str(path), line=1, column=1)
    try:
        data = read_bounded(path, maximum=FILE_BYTES_MAX)
    except Unreadable as error:
        raise ConfigInvalid((fault_at(start, "", f"cannot be read: {error}"),)) from error
    nodes, own_base = _nodes(path, data, start, faults)
    reader = EntryReader(base=own_base or base, headers=headers, faults=faults)
    targets = [reader.read(node) for node in nodes[:TARGETS_MAX]]
    if len(nodes) > TARGETS_MAX:
        sentence = f"holds more than {TARGETS_MAX} requests; one may have many paths and bodies"
        faults.add(fault_at(start, "", sentence))
    faults.raise_any()
    if not nodes:
        raise ConfigInvalid((fault_at(start, "", "holds no request"),))
    return distinct(target for target in targets if target is not None)


def _nodes(path: Path, data: bytes, start: Place, faults: Faults) -> tuple[list[Node], str | None]:
    if path.suffix in (".yaml", ".yml"):
        return _of_yaml(data, start, faults)
    if len(data) > FILE_BYTES_MAX:
        faults.add(fault_at(start, "", f"is larger than {FILE_BYTES_MAX} bytes"))
        return [], None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = Place(file=start.file, line=data.count(b"\n", 0, error.start) + 1, column=1)
        faults.add(fault_at(place, "", "is not UTF-8 text"))
        return [], None
    of_line = _of_json if path.suffix in (".jsonl", ".ndjson") else _of_line
    nodes: list[Node] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if len(nodes) > TARGETS_MAX or faults.full:
            break
        if line.strip() and not line.lstrip().startswith("#"):
            node = of_line(line.strip(), Place(file=start.file, line=number, column=1), faults)
            nodes += [] if node is None else [node]
    return nodes, None


def _of_yaml(data: bytes, start: Place, faults: Faults) -> tuple[list[Node], str | None]:
    root = read_document(data, start.file, faults)
    base = None
    if isinstance(root, Mapping):
        for entry in root.entries:
            if entry.name not in _TOP_KEYS:
                guess = nearest(entry.name, _TOP_KEYS)
                hint = f"; did you mean `{guess}`?" if guess else ""
                sentence = f"{shown(entry.name)} is not a key here{hint}"
                faults.add(fault_at(entry.place, "", sentence, nearest=guess))
        base = _base(root.get("base"), faults)
        requests = root.get("requests")
        root = None if requests is None else requests.value
    if isinstance(root, Sequence):
        return list(root.items), base
    if root is not None:
        faults.add(fault_at(root.place, "", "is not a list of requests"))
    return [], base


def _base(entry: Entry | None, faults: Faults) -> str | None:
    if entry is None:
        return None
    text = entry.value.text if isinstance(entry.value, Scalar) else ""
    try:
        parse_url(text)
    except TargetInvalid as error:
        faults.add(fault_at(entry.value.place, "base", str(error)))
        return None
    return text


def _of_line(line: str, place: Place, faults: Faults) -> Node | None:
    """Read ``[METHOD] URL [name=...] [weight=...] [expect=...]``."""
    words = line.split()
    method = words.pop(0) if _METHOD.fullmatch(words[0]) else None
    if not words:
        faults.add(fault_at(place, "", "a URL or a path is missing behind the method"))
        return None
    where = words.pop(0)
    pairs = [] if method is None else [("method", method)]
    pairs.append(("path" if where.startswith("/") else "url", where))
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in _LINE_KEYS:
            sentence = f"{shown(word)} is not one of name=, weight= and expect="
            faults.add(fault_at(place, "", sentence))
            return None
        pairs.append((name, value))
    return Mapping(
        place=place,
        entries=tuple(
            Entry(name=name, place=place, value=Scalar(place=place, text=value, plain=True))
            for name, value in pairs
        ),
    )


def _of_json(line: str, place: Place, faults: Faults) -> Node | None:
    try:
        raw = json.loads(line, object_pairs_hook=_pairs)
        return _tree(raw, place, depth=0)
    except json.JSONDecodeError as error:
        place = Place(file=place.file, line=place.line, column=error.colno)
        faults.add(fault_at(place, "", f"is not JSON: {error.msg}"))
    except (_Refused, RecursionError, ValueError) as error:
        sentence = str(error) if isinstance(error, _Refused) else "is not JSON that is read"
        faults.add(fault_at(place, "", sentence))
    return None


class _Refused(Exception):
    """JSON that is well formed and yet not read; the message says why."""


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object as its pairs, to tell it from an array. Any: JSON values."""

    __slots__ = ()


# Any: JSON is any value until it is a tree.
def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise _Refused("has a key twice")
    return _Pairs(pairs)


def _tree(raw: Any, place: Place, *, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise _Refused(f"is nested deeper than {DEPTH_MAX} levels")
    if isinstance(raw, _Pairs):
        return Mapping(place=place, entries=tuple(_entries(raw, place, depth=depth)))
    if isinstance(raw, list):
        items = tuple(_tree(item, place, depth=depth + 1) for item in raw)
        return Sequence(place=place, items=items)
    if isinstance(raw, str):
        return Scalar(place=place, text=_whole(raw), plain=False)
    return Scalar(place=place, text=json.dumps(raw), plain=True)


def _entries(pairs: _Pairs, place: Place, *, depth: int) -> Iterator[Entry]:
    for name, value in pairs:
        yield Entry(name=_whole(name), place=place, value=_tree(value, place, depth=depth + 1))


def _whole(text: str) -> str:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise _Refused("has an escape that stands for half a character")
    return text
