"""One request of a requests file: from the tree with its places to a target, or to faults."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from mainstay.control.load.target import (
    EXPECTED,
    VARIANTS_MAX,
    Origin,
    Target,
    TargetInvalid,
    default_name,
    header_faults,
    parse_expect,
    parse_url,
    request_path,
)
from mainstay.spec.faults import Faults, fault_at, nearest, shown
from mainstay.spec.reading.document import Mapping, Node, Scalar, Sequence
from mainstay.spec.reading.scalars import resolve

KEYS = (
    "name", "method", "url", "path", "paths", "headers", "body", "bodies", "weight", "expect",
)  # fmt: skip

_NOWHERE = Origin(scheme="http", host="localhost", port=80)
_Value = TypeVar("_Value")
_Json = str | int | float | bool | None | list["_Json"] | dict[str, "_Json"]


class _Wrong(Exception):
    """A value is not what its key needs; ``node`` is where, the message says what."""

    def __init__(self, node: Node, sentence: str) -> None:
        self.node = node
        super().__init__(sentence)


class EntryReader:
    """Reads requests one by one and remembers the names that were given.

    Args:
        base: URL that paths stand under; None if there is none.
        headers: Of every request that does not have one of that name.
        faults: Told everything that is wrong.

    Raises:
        TargetInvalid: ``base`` is not a URL.
    """

    def __init__(
        self, *, base: str | None, headers: tuple[tuple[str, str], ...], faults: Faults
    ) -> None:
        self._origin: Origin | None = None
        self._prefix = ""
        if base is not None:
            self._origin, path = parse_url(base)
            self._prefix = path.partition("?")[0].rstrip("/")
        self._headers = headers
        self._faults = faults
        self._names: dict[str, int] = {}

    def read(self, node: Node) -> Target | None:
        """Return the target; after telling faults, None or a target that is not to be used."""
        if not isinstance(node, Mapping):
            self._fault(node, "", "is not a request; write `{method: GET, path: /}`")
            return None
        self._unknown_keys(node)
        method = self._key(node, "method", _text, "GET").upper()
        origin, paths = self._where(node)
        body = self._key(node, "body", _body, None)
        one_body: tuple[bytes, ...] = () if body is None else (body,)
        bodies = self._key(node, "bodies", _bodies, one_body)
        if node.get("body") and node.get("bodies"):
            self._fault(node, "bodies", "`body` and `bodies` exclude each other")
        target = Target(
            name=self._name(node) or default_name(method, paths[0]),
            # Without an origin there is a fault already; the rest is still read for its own.
            origin=origin or _NOWHERE,
            method=method,
            paths=paths,
            headers=self._with_defaults(self._key(node, "headers", _headers, ()), node),
            bodies=bodies,
            weight=self._key(node, "weight", _number, 1.0),
            expect=self._key(node, "expect", _expect, EXPECTED),
        )
        # Headers have told their faults where they stand.
        for fault in replace(target, headers=()).faults():
            self._fault(node, "", fault)
        return target

    def _unknown_keys(self, node: Mapping) -> None:
        for entry in node.entries:
            if entry.name not in KEYS:
                guess = nearest(entry.name, KEYS)
                hint = f"did you mean `{guess}`?" if guess else f"known are {', '.join(KEYS)}"
                sentence = f"{shown(entry.name)} is not a key of a request; {hint}"
                self._faults.add(fault_at(entry.place, "", sentence, nearest=guess))

    def _name(self, node: Mapping) -> str | None:
        name = self._key(node, "name", _text, None)
        if name is not None and name in self._names:
            line = self._names[name]
            self._fault(node, "name", f"the request in line {line} has this name already")
        if name is not None:
            self._names.setdefault(name, node.place.line)
        return name

    def _where(self, node: Mapping) -> tuple[Origin | None, tuple[str, ...]]:
        if sum(node.get(key) is not None for key in ("url", "path", "paths")) != 1:
            self._fault(node, "", "exactly one of `url`, `path` and `paths` is needed")
            return None, ("/",)
        if node.get("url"):
            where = self._key(node, "url", _url, None)
            return (None, ("/",)) if where is None else (where[0], (where[1],))
        one_path: tuple[str, ...] = (self._key(node, "path", _path, "/"),)
        paths = self._key(node, "paths", _paths, one_path)
        if self._origin is None:
            sentence = "a path needs a base: a URL on the command line, or `base:` in a YAML file"
            self._fault(node, "", sentence)
        return self._origin, tuple(self._prefix + path for path in paths)

    def _with_defaults(
        self, own: tuple[tuple[str, str], ...], node: Mapping
    ) -> tuple[tuple[str, str], ...]:
        given = {name.lower() for name, _ in own}
        more = [pair for pair in self._headers if pair[0].lower() not in given]
        structured = any(
            isinstance(item, Mapping | Sequence)
            for key in ("body", "bodies")
            for item in _items(node, key)
        )
        if structured and "content-type" not in given | {name.lower() for name, _ in more}:
            more.append(("Content-Type", "application/json"))
        return (*own, *more)

    def _key(
        self, node: Mapping, name: str, read: Callable[[Node], _Value], default: _Value
    ) -> _Value:
        entry = node.get(name)
        if entry is None:
            return default
        try:
            return read(entry.value)
        except _Wrong as error:
            self._fault(error.node, name, str(error))
        except TargetInvalid as error:
            self._fault(entry.value, name, str(error))
        return default

    def _fault(self, node: Node, key: str, sentence: str) -> None:
        self._faults.add(fault_at(node.place, key, sentence))


def _items(node: Mapping, key: str) -> tuple[Node, ...]:
    entry = node.get(key)
    if entry is None:
        return ()
    if key == "bodies" and isinstance(entry.value, Sequence):
        return entry.value.items
    return (entry.value,)


def _text(node: Node) -> str:
    if not isinstance(node, Scalar) or not node.text:
        raise _Wrong(node, "is not a text")
    return node.text


def _number(node: Node) -> float:
    value = resolve(node.text) if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(node, "is not a number")
    return float(value)


def _expect(node: Node) -> frozenset[int]:
    if isinstance(node, Sequence):
        return frozenset(status for item in node.items for status in parse_expect(_text(item)))
    return parse_expect(_text(node))


def _url(node: Node) -> tuple[Origin, str]:
    return parse_url(_text(node))


def _path(node: Node) -> str:
    text = _text(node)
    if not text.startswith("/"):
        raise _Wrong(node, f"{shown(text)} is not a path, which begins with /")
    return request_path(text)


def _paths(node: Node) -> tuple[str, ...]:
    return tuple(_path(item) for item in _some(node, "paths"))


def _bodies(node: Node) -> tuple[bytes, ...]:
    return tuple(_body(item) for item in _some(node, "bodies"))


def _some(node: Node, what: str) -> tuple[Node, ...]:
    if not isinstance(node, Sequence) or not 1 <= len(node.items) <= VARIANTS_MAX:
        raise _Wrong(node, f"is not a list of 1 to {VARIANTS_MAX} {what}")
    return node.items


def _body(node: Node) -> bytes:
    """Return a text as it stands, anything else as JSON."""
    if isinstance(node, Scalar):
        return node.text.encode()
    return json.dumps(_plain(node), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(node: Node) -> _Json:
    if isinstance(node, Mapping):
        return {entry.name: _plain(entry.value) for entry in node.entries}
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return resolve(node.text) if node.plain else node.text


def _headers(node: Node) -> tuple[tuple[str, str], ...]:
    if not isinstance(node, Mapping):
        raise _Wrong(node, "is not a mapping of names to values")
    return tuple(_checked_headers(node))


def _checked_headers(node: Mapping) -> Iterator[tuple[str, str]]:
    for entry in node.entries:
        value = entry.value.text if isinstance(entry.value, Scalar) else "\0"
        for fault in header_faults(entry.name, value):
            raise _Wrong(entry.value, fault)
        yield entry.name, value
