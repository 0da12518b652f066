"""YAML text to a small tree that knows its lines, bounded before anything is built.

Works on the parser's events, so that depth, nodes and aliases are counted while they arrive and a
hostile file is left at the first one too many. Anchors and aliases are read, each alias counted
as all that it repeats. Tags, merge keys (``<<``) and further documents are refused.
"""

import re
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice

import yaml

from mainstay.spec.faults import Faults, Place, fault_at, printable
from mainstay.spec.kinds.units import size_text

# libyaml is ten times as fast; where its wheel is missing, PyYAML's own parser does the same.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FILE_BYTES_MAX = 2**17 if _LOADER is yaml.SafeLoader else 2**20
"""Bytes of one file: far more than any sensible declaration, and read within a second."""
DEPTH_MAX = 32
"""Collections within collections; the declaration itself goes five deep."""
NODES_MAX = 50_000
"""Keys, values and collections of one file, each alias counted as all that it repeats."""
SCALAR_MAX = 65_536
"""Characters of one text."""

# What YAML calls printable, and a byte order mark within the text.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = {
    b"\xef\xbb\xbf": "begins with a byte order mark; save it as UTF-8 without one",
    b"\xff\xfe": "is UTF-16, not UTF-8; save it as UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; save it as UTF-8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text; ``plain`` where it stood without quotes and may be a number or a flag."""

    place: Place
    text: str
    plain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    place: Place
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a mapping, its own place, and its value."""

    name: str
    place: Place
    value: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A mapping; the names are unique."""

    place: Place
    entries: tuple[Entry, ...]

    def get(self, name: str) -> Entry | None:
        """Return the entry of that name, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)


Node = Scalar | Sequence | Mapping


class _Unreadable(Exception):
    """The file ends here for us; ``place`` and ``sentence`` say why."""

    def __init__(self, place: Place, sentence: str) -> None:
        self.place = place
        self.sentence = sentence
        super().__init__(sentence)


def read_document(data: bytes, file: str, faults: Faults) -> Node | None:
    """Return the one document of a file, or None where it is empty or can't be read.

    Args:
        data: The file's bytes; at most one more than FILE_BYTES_MAX need be given.
        file: The file's name in faults.
        faults: Told what is wrong; where None is returned without a fault, the file is empty.
    """
    try:
        builder = _Builder(file, faults)
        _feed(builder, _decoded(data, file), file)
    except _Unreadable as error:
        faults.add(fault_at(error.place, "", error.sentence))
        return None
    return builder.root


def _decoded(data: bytes, file: str) -> str:
    """Return the text of the bytes, or raise _Unreadable where they are no clean UTF-8."""
    start = Place(file=file, line=1, column=1)
    if len(data) > FILE_BYTES_MAX:
        raise _Unreadable(
            start, f"is larger than {size_text(FILE_BYTES_MAX)}, the most that is read"
        )
    for mark, sentence in _MARKS.items():
        if data.startswith(mark):
            raise _Unreadable(start, sentence)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        head = data[: error.start].decode("utf-8")
        sentence = f"is not UTF-8 text: byte 0x{data[error.start]:02x}"
        raise _Unreadable(_place_after(head, file), sentence) from None
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        what = "a NUL byte; is it binary, or UTF-16?" if odd[0] == "\0" else "which YAML forbids"
        sentence = f"holds the character U+{ord(odd[0]):04X}, {what}"
        raise _Unreadable(_place_after(text[: odd.start()], file), sentence)
    return text


def _place_after(head: str, file: str) -> Place:
    """Return the place of the character that follows ``head``."""
    line_start = head.rfind("\n") + 1
    return Place(file=file, line=head.count("\n") + 1, column=len(head) - line_start + 1)


def _feed(builder: "_Builder", text: str, file: str) -> None:
    """Hand the parser's events to the builder; raise _Unreadable where the text is not YAML."""
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark, file)
        problem = printable(error.problem or error.context or "it can't be parsed", maximum=200)
        sentence = f"is not valid YAML: {problem}{_hint(text, place)}"
        raise _Unreadable(place, sentence) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML's own parser lets int() and chr() fail on escapes and directives out of range.
        place = Place(file=file, line=1, column=1)
        raise _Unreadable(place, "is not valid YAML: a character out of range") from error


def _hint(text: str, place: Place) -> str:
    """Return what is most often behind a line that YAML can't read, or nothing."""
    line = next(islice(StringIO(text), place.line - 1, None), "")
    if line[place.column - 1 :].startswith("\t"):
        return "; indent with spaces, not with tabs"
    if "{" in line.replace("${", "") and "${" in line:
        return '; within braces, quote what holds ${...}: {port: "${PORT}"}'
    return ""


def _place(mark: "yaml.error.Mark | yaml._yaml.Mark | None", file: str) -> Place:
    assert mark is not None, "the parser marks every event"
    return Place(file=file, line=mark.line + 1, column=mark.column + 1)


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A collection that is still open. ``key`` waits for its value; ``size`` counts nodes."""

    place: Place
    anchor: str | None
    mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Scalar | None = None
    size: int = 1
    height: int = 1


class _Builder:
    """Builds the tree from events, counting. ``root`` is the document once all were taken."""

    def __init__(self, file: str, faults: Faults) -> None:
        self.root: Node | None = None
        self._file = file
        self._faults = faults
        self._open: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event, or raise _Unreadable."""
        place = _place(event.start_mark, self._file)
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, place)
            if len(event.value) > SCALAR_MAX:
                raise _Unreadable(place, f"a text is longer than {SCALAR_MAX} characters")
            if _SURROGATE.search(event.value) is not None:
                raise _Unreadable(place, "an escape stands for half a character")
            node = Scalar(place=place, text=event.value, plain=event.implicit[0])
            self._attach(node, event.anchor, place, size=1, height=0)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), place)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event.tag, place)
            self._begin(event, place)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Unreadable(place, "holds a second document; one file is one declaration")

    def _refuse_tag(self, tag: str | None, place: Place) -> None:
        # "!" alone means "not plain", which quotes say already.
        if tag is not None:
            name = printable(tag, maximum=40)
            raise _Unreadable(place, f"the tag {name} is not read; write the value without it")

    def _count(self, nodes: int, place: Place) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            raise _Unreadable(place, f"holds more than {NODES_MAX} values, aliases counted in full")

    def _begin(self, event: yaml.CollectionStartEvent, place: Place) -> None:
        self._count(1, place)
        if len(self._open) >= DEPTH_MAX:
            raise _Unreadable(place, f"is nested deeper than {DEPTH_MAX} levels")
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._open.append(_Frame(place=place, anchor=event.anchor, mapping=mapping))

    def _end(self) -> None:
        frame = self._open.pop()
        self._nodes -= frame.size  # _attach counts the collection as a whole once more.
        node: Node
        if frame.mapping:
            node = Mapping(place=frame.place, entries=tuple(frame.entries.values()))
        else:
            node = Sequence(place=frame.place, items=tuple(frame.items))
        self._attach(node, frame.anchor, frame.place, size=frame.size, height=frame.height)

    def _alias(self, anchor: str, place: Place) -> None:
        # An anchor is known only once its node is closed, so nothing can hold itself.
        if anchor not in self._anchors:
            raise _Unreadable(place, f"the alias *{printable(anchor, maximum=40)} has no anchor")
        node, size, height = self._anchors[anchor]
        if len(self._open) + height > DEPTH_MAX:
            raise _Unreadable(place, f"is nested deeper than {DEPTH_MAX} levels by an alias")
        self._attach(node, None, place, size=size, height=height)

    def _attach(
        self, node: Node, anchor: str | None, place: Place, *, size: int, height: int
    ) -> None:
        """Put a finished node where it belongs."""
        self._count(size, place)
        if anchor is not None:
            self._anchors[anchor] = (node, size, height)
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        frame.size += size
        frame.height = max(frame.height, height + 1)
        if not frame.mapping:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._key(node)
        else:
            self._enter(frame, frame.key, node)
            frame.key = None

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise _Unreadable(node.place, "a key is a collection; keys are words")
        return node

    def _enter(self, frame: _Frame, key: Scalar, value: Node) -> None:
        """Add a key with its value, the first of its name; a further one is a fault."""
        name = printable(key.text, maximum=60)
        if key.text == "<<" and key.plain:
            sentence = "merge keys (<<) are not read; write the keys, or an alias for the section"
            self._faults.add(fault_at(key.place, name, sentence))
        elif key.text in frame.entries:
            first = frame.entries[key.text].place.line
            sentence = f"is declared twice; the first is in line {first}"
            self._faults.add(fault_at(key.place, self._path() + name, sentence))
        else:
            frame.entries[key.text] = Entry(name=key.text, place=key.place, value=value)

    def _path(self) -> str:
        """Return the path of the innermost open collection, with the dot that follows it."""
        path = ""
        for frame in self._open[:-1]:
            if frame.key is not None:
                path += ("." if path else "") + printable(frame.key.text, maximum=60)
            elif not frame.mapping:
                path += f"[{len(frame.items)}]"
        return path + "." if path else ""
