"""From nodes to the values of a declaration, every fault collected on the way.

Goes down the kinds of ``keys.py`` and the nodes side by side. Where a value is wrong, reading goes
on with the key's default, so that one fault never hides another.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mainstay.spec.faults import Faults, Place, fault_at, nearest, printable, shown
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import (
    Choice,
    Either,
    Kind,
    Leaf,
    ListOf,
    MapOf,
    Mismatch,
    Raw,
    Section,
    Text,
    takes_numerals,
)
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.reading import document
from mainstay.spec.reading.document import Entry, Node, Scalar, Sequence
from mainstay.spec.reading.interpolate import ReadSecret, interpolate
from mainstay.spec.reading.overlay import bare, is_null, means_off, means_on
from mainstay.spec.reading.scalars import resolve


class _Broken:
    """Stands for a value that could not be read; its fault is already collected."""


_BROKEN: Final = _Broken()


class Reader:
    """Reads one declaration.

    Args:
        faults: Told what is wrong.
        environ: The environment that ``${NAME}`` comes from.
        read_secret: Reads the files of ``${file:...}``.

    Attributes:
        places: The place of every declared key, by dotted path.
        inert: Declared keys on which nothing acts in this version, with their place.
        suspects: Paths that are wrong, or were probably meant by a misspelt key: what is found
            to be missing there is a consequence, and no fault of its own.
    """

    def __init__(
        self, *, faults: Faults, environ: Mapping[str, str], read_secret: ReadSecret
    ) -> None:
        self.places: dict[str, Place] = {}
        self.inert: list[tuple[str, Place]] = []
        self.suspects: set[str] = set()
        self._faults = faults
        self._environ = environ
        self._read_secret = read_secret

    def read(self, node: Node, cls: type) -> Any | None:
        """Return the declaration of class ``cls``, or None where a required key is missing.

        Any: the class is the caller's. With faults, the value has defaults in their place.
        """
        value = self._section(node, Section(cls), "")
        return None if value is _BROKEN else value

    def _fault(self, place: Place, path: str, sentence: str, **about: str | None) -> _Broken:
        if not self._faults.full:
            self.suspects.add(path)
        self._faults.add(fault_at(place, path, sentence, **about))
        return _BROKEN

    def _section(self, node: Node, kind: Section, path: str) -> Any:
        if is_null(node):
            # `dependencies:` with nothing below it declares nothing.
            node = document.Mapping(place=node.place, entries=())
        if not isinstance(node, document.Mapping):
            return self._mismatch(node, path, "a mapping")
        known = {key.name: key for _, key, _ in keys_of(kind.cls)}
        for entry in node.entries:
            if entry.name not in known:
                self._unknown(entry, path, known)
        values: dict[str, Any] = {}
        missing = False
        for field, key, default in keys_of(kind.cls):
            entry_of_key = node.get(key.name)
            value: Any = _BROKEN
            if entry_of_key is not None:
                value = self._declared(entry_of_key, key, default, _joined(path, key.name))
            elif key.required:
                self._missing(node.place, path, key)
            if value is not _BROKEN:
                values[field] = value
            elif default is dataclasses.MISSING:
                missing = True
        return _BROKEN if missing else kind.cls(**values)

    def _unknown(self, entry: Entry, path: str, known: Mapping[str, Key]) -> None:
        if self._faults.full:
            self._fault(entry.place, path, "unknown key")
            return
        meant = nearest(entry.name, known)
        if meant is not None:
            self.suspects.add(_joined(path, meant))
        hint = f"did you mean {meant}?" if meant else "known here: " + ", ".join(known)
        self._fault(
            entry.place,
            _joined(path, entry.name),
            f"unknown key; {hint}",
            found=shown(entry.name),
            expected="one of " + ", ".join(known),
            nearest=meant,
        )

    def _missing(self, place: Place, path: str, key: Key) -> None:
        of_key = _joined(path, key.name)
        if of_key not in self.suspects:
            expected = _expected(key.kind)
            self._fault(place, of_key, f"is missing; expected {expected}", expected=expected)

    def _declared(self, entry: Entry, key: Key, default: Any, path: str) -> Any:
        """Return the value of a declared key, noting its place."""
        self.places[path] = entry.value.place if isinstance(entry.value, Scalar) else entry.place
        if not key.acts and not any(path.startswith((f"{a}.", f"{a}[")) for a, _ in self.inert):
            self.inert.append((path, entry.place))
        if key.off:
            raw = self._switch(entry.value)
            if means_off(raw):
                return key.without
            if means_on(raw) and (turned_on := key.turned_on(default)) is not None:
                return turned_on
        elif key.stays is not None and not is_null(entry.value):
            # Nothing at all is a section without keys.
            raw = self._switch(entry.value)
            if means_off(raw):
                return self._fault(entry.value.place, path, f"can't be off: {key.stays}")
        value = self._value(entry.value, key.kind, path, off=key.off)
        self._note_word(key, value, path, entry.place)
        return value

    def _note_word(self, key: Key, value: Any, path: str, place: Place) -> None:
        """Note a word on which nothing acts, of a key that acts on others. Any: each kind's own."""
        if isinstance(key.acts, frozenset) and value is not _BROKEN and value not in key.acts:
            self.inert.append((path, place))

    def _value(self, node: Node, kind: Kind, path: str, *, off: bool = False) -> Any:
        if isinstance(kind, Section):
            return self._shorthand_or_section(node, kind, path, off=off)
        if isinstance(kind, ListOf):
            return self._list(node, kind, path, off=off)
        if isinstance(kind, MapOf):
            return self._map(node, kind, path)
        return self._leaf(node, kind, path, off=off)

    def _shorthand_or_section(self, node: Node, kind: Section, path: str, *, off: bool) -> Any:
        if kind.shorthand is None or isinstance(node, document.Mapping) or is_null(node):
            return self._section(node, kind, path)
        # A fault names the section's key alone, as the person wrote it.
        field, key = next((f, k) for f, k, _ in keys_of(kind.cls) if k.name == kind.shorthand)
        self.places[_joined(path, key.name)] = node.place
        value = self._value(node, key.kind, path, off=off)
        self._note_word(key, value, path, node.place)
        return _BROKEN if value is _BROKEN else kind.cls(**{field: value})

    def _list(self, node: Node, kind: ListOf, path: str, *, off: bool) -> Any:
        if is_null(node):
            return ()
        if kind.single and not isinstance(node, Sequence):
            # A fault names the key alone, as the person wrote it.
            value = self._value(node, kind.item, path, off=off)
            return _BROKEN if value is _BROKEN else (value,)
        if not isinstance(node, Sequence):
            return self._mismatch(node, path, f"a list of {_expected(kind.item)}")
        if len(node.items) > kind.maximum:
            sentence = f"has {len(node.items)} items; at most {kind.maximum} are allowed"
            return self._fault(node.place, path, sentence)
        values = []
        for index, item in enumerate(node.items):
            of_item = f"{path}[{index}]"
            self.places[of_item] = item.place
            values.append(self._value(item, kind.item, of_item))
        return tuple(value for value in values if value is not _BROKEN)

    def _map(self, node: Node, kind: MapOf, path: str) -> Any:
        if is_null(node):
            return ()
        if not isinstance(node, document.Mapping):
            return self._mismatch(node, path, "a mapping from names to values")
        if len(node.entries) > kind.maximum:
            sentence = f"has {len(node.entries)} keys; at most {kind.maximum} are allowed"
            return self._fault(node.place, path, sentence)
        pairs = []
        for entry in node.entries:
            of_entry = _joined(path, entry.name)
            self.places[of_entry] = entry.place
            try:
                name = kind.name.read(entry.name)
            except Mismatch as error:
                found = shown(entry.name)
                sentence = f"expected {error} as the key, found {found}"
                self._fault(entry.place, of_entry, sentence, found=found, expected=str(error))
                continue
            pairs.append((name, self._value(entry.value, kind.item, of_entry)))
        return tuple((name, value) for name, value in pairs if value is not _BROKEN)

    def _switch(self, node: Node) -> Raw:
        """Return what may turn a key on or off, also by ``${NAME:-off}``; else an empty text."""
        if not isinstance(node, Scalar):
            return ""
        if "${" not in node.text:
            return bare(node)
        became = interpolate(node.text, environ=self._environ, read_secret=None)
        if not became.whole or became.sentences or isinstance(became.value, Secret):
            return ""
        return resolve(became.value)

    def _leaf(self, node: Node, kind: Leaf, path: str, *, off: bool) -> Any:
        raws = [self._raw(item, kind, path) for item in _scalars(node)]
        if any(raw is _BROKEN for raw in raws):
            return _BROKEN
        if isinstance(node, document.Mapping) or (
            isinstance(node, Sequence) and len(raws) < len(node.items)
        ):
            return self._mismatch(node, path, kind.expected(), kind)
        try:
            return kind.read(raws[0] if isinstance(node, Scalar) else raws)
        except Mismatch as error:
            expected = f"{error}, or off" if off else str(error)
            return self._mismatch(node, path, expected, kind)

    def _raw(self, node: Scalar, kind: Leaf, path: str) -> Any:
        """Return the raw value of a scalar, interpolated. Any: Raw, or broken."""
        text, plain = node.text, node.plain
        if "${" in text:
            read_secret = self._read_secret if isinstance(kind, Text) and kind.secret else None
            became = interpolate(text, environ=self._environ, read_secret=read_secret)
            for sentence in became.sentences:
                self._fault(node.place, path, sentence, found=shown(text))
            if became.sentences:
                return _BROKEN
            if isinstance(became.value, Secret):
                return became.value
            # Within braces YAML needs quotes about ${...}, so quotes don't make it a text.
            text, plain = became.value, became.whole
        raw: Raw = resolve(text) if plain else text
        is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
        return text if is_number and takes_numerals(kind) else raw

    def _mismatch(self, node: Node, path: str, expected: str, kind: Leaf | None = None) -> _Broken:
        if self._faults.full:
            return self._fault(node.place, path, "is wrong")
        found = _found(node, secret=isinstance(kind, Text) and kind.secret)
        meant = None
        if kind is not None and isinstance(node, Scalar):
            meant = nearest(node.text, _words(kind))
        sentence = f"expected {expected}, found {found}"
        if meant is not None:
            sentence += f"; did you mean {meant}?"
        elif isinstance(kind, Text) and _is_flag_or_null(node):
            sentence += "; put it in quotes if it is one"
        return self._fault(
            node.place, path, sentence, found=found, expected=expected, nearest=meant
        )


def _is_flag_or_null(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(bare(node), bool | None)


def _joined(path: str, name: str) -> str:
    name = printable(name, maximum=60)
    return f"{path}.{name}" if path else name


def _scalars(node: Node) -> Iterator[Scalar]:
    """Yield the node itself, or the items of a list, as far as they are scalars."""
    items = node.items if isinstance(node, Sequence) else (node,)
    for item in items:
        if isinstance(item, Scalar):
            yield item


def _words(kind: Leaf) -> tuple[str, ...]:
    """Return the words that a kind knows, to guess which one was meant."""
    if isinstance(kind, Choice):
        return kind.words
    if isinstance(kind, Either):
        return tuple(word for one in kind.kinds for word in _words(one))
    return ()


def _expected(kind: Kind) -> str:
    if isinstance(kind, ListOf):
        return f"a list of {_expected(kind.item)}"
    if isinstance(kind, Section | MapOf):
        return "a mapping"
    return kind.expected()


def _found(node: Node, *, secret: bool) -> str:
    """Return what stands in the file; of a value that may be a secret, only what it is."""
    if isinstance(node, document.Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return f"a list of {len(node.items)}"
    if "${" in node.text:
        # As declared: what it became may have come from a secret place.
        return shown(node.text)
    raw = bare(node)
    if isinstance(raw, str):
        return f"a text of {len(raw)} characters" if secret else f"the text {shown(raw)}"
    what = {type(None): "nothing", bool: f"the flag {node.text}"}
    return what.get(type(raw), f"the number {node.text}")
