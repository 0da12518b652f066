"""What a value of the declaration may be: how it is read, written and described.

A leaf kind turns one raw value (text, number, flag or a list of texts) into the value the program
uses, or raises ``Mismatch`` with what was expected. Sections, lists and maps are structure: the
door (``load.py``) walks them, since only it knows lines. ``keys.py`` binds a kind to a field.
"""

import ipaddress
import re
import shlex
from dataclasses import dataclass
from typing import Any, Protocol

from mainstay.spec.kinds.secret import Secret

SECRET_MAX = 65_536
"""No secret is longer, in characters: enough for a chain of certificates."""
TEXT_MAX = 4096
"""No single text of a declaration is longer, in characters: enough for any URL or command."""

_WORDS_MAX = 256

ON, OFF = "on", "off"

Raw = str | int | float | bool | None | Secret | list[Any]
"""What YAML gives for a leaf. Any: the items of a list are raw themselves."""


class Mismatch(ValueError):
    """A raw value is not of the kind; the message says what was expected, as a noun phrase."""


class Leaf(Protocol):
    """A kind without structure."""

    def read(self, raw: Raw) -> Any:
        """Return the value for ``raw``, or raise Mismatch. Any: each kind has its own type."""
        ...

    def write(self, value: Any) -> Raw:
        """Return the raw value that ``read`` turns into ``value``."""
        ...

    def expected(self) -> str:
        """Return what may stand here, as a noun phrase: for faults and the reference page."""
        ...

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the raw value."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number within bounds."""

    minimum: int
    maximum: int

    def read(self, raw: Raw) -> int:
        """Read a whole number; True is not 1."""
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise Mismatch(self.expected())
        if not self.minimum <= raw <= self.maximum:
            raise Mismatch(self.expected())
        return raw

    def write(self, value: int) -> Raw:
        """Write the number."""
        return value

    def expected(self) -> str:
        """Name the bounds."""
        return f"a whole number, {self.minimum} to {self.maximum}"

    def schema(self) -> dict[str, Any]:
        """Return an integer schema with its bounds."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A share beside other shares: a whole number, or a whole percentage, which is its number."""

    maximum: int

    def read(self, raw: Raw) -> int:
        """Read ``90`` or ``90%``."""
        if isinstance(raw, str) and re.fullmatch(r"[0-9]{1,3}%", raw) and int(raw[:-1]) <= 100:  # noqa: PLR2004
            return int(raw[:-1])
        try:
            return Whole(minimum=0, maximum=self.maximum).read(raw)
        except Mismatch as error:
            raise Mismatch(self.expected()) from error

    def write(self, value: int) -> Raw:
        """Write the number."""
        return value

    def expected(self) -> str:
        """Name both forms."""
        return f"a weight such as 90 or 90%, at most {self.maximum}"

    def schema(self) -> dict[str, Any]:
        """Return an integer or a percentage."""
        whole = {"type": "integer", "minimum": 0, "maximum": self.maximum}
        return {"anyOf": [whole, {"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}]}


@dataclass(frozen=True, slots=True)
class Flag:
    """``true`` or ``false``; ``on`` and ``off`` say the same, as other keys are turned off."""

    def read(self, raw: Raw) -> bool:
        """Read a flag; nothing else is one."""
        if isinstance(raw, bool):
            return raw
        if raw == ON:
            return True
        if raw == OFF:
            return False
        raise Mismatch(self.expected())

    def write(self, value: bool) -> Raw:  # noqa: FBT001  It is the value itself.
        """Write the flag."""
        return value

    def expected(self) -> str:
        """Name the words."""
        return "true or false, on or off"

    def schema(self) -> dict[str, Any]:
        """Return a schema of the four words."""
        return {"enum": [True, False, ON, OFF]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of a given form.

    Attributes:
        what: The noun phrase of the error sentence.
        pattern: What the whole text must match; None admits every text.
        secret: Whether ``${file:...}`` may stand in it.
    """

    what: str = "a text"
    pattern: str | None = None
    secret: bool = False
    maximum: int = TEXT_MAX

    def read(self, raw: Raw) -> str | Secret:
        """Read a text of the form; the door gives numbers as they were written."""
        if isinstance(raw, Secret):
            if not self.secret:
                raise Mismatch(f"{self.what}; a secret may not stand here, since it would be shown")
            if not self._fits(raw.reveal(), SECRET_MAX):
                raise Mismatch(f"{self.what}; what the secret holds is not")
            return raw
        if not isinstance(raw, str) or not self._fits(raw, self.maximum):
            raise Mismatch(self.what)
        return raw

    def _fits(self, text: str, maximum: int) -> bool:
        if len(text) > maximum or "\x00" in text:
            return False
        return self.pattern is None or re.fullmatch(self.pattern, text) is not None

    def write(self, value: str | Secret) -> Raw:
        """Write the text; a secret as its reference."""
        return value.reference if isinstance(value, Secret) else value

    def expected(self) -> str:
        """Name the form."""
        return self.what

    def schema(self) -> dict[str, Any]:
        """Return a string schema; numbers too, where one written plainly would fit."""
        schema: dict[str, Any] = {"type": ["string", "number"] if self._fits("1", 1) else "string"}
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        return schema


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, raw: Raw) -> str:
        """Read one of the words."""
        if not isinstance(raw, str) or raw not in self.words:
            raise Mismatch(self.expected())
        return raw

    def write(self, value: str) -> Raw:
        """Write the word."""
        return value

    def expected(self) -> str:
        """Name the words."""
        return "one of " + ", ".join(self.words)

    def schema(self) -> dict[str, Any]:
        """Return an enumeration; a word of digits may stand without quotes."""
        numerals = [int(word) for word in self.words if word.isdecimal()]
        return {"enum": [*self.words, *numerals]}


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address."""

    def read(self, raw: Raw) -> str:
        """Read an address of either version, without a zone."""
        try:
            if isinstance(raw, str) and "%" not in raw:
                return str(ipaddress.ip_address(raw))
        except ValueError as error:
            raise Mismatch(self.expected()) from error
        raise Mismatch(self.expected())

    def write(self, value: str) -> Raw:
        """Write the address."""
        return value

    def expected(self) -> str:
        """Name it, with the two that are meant most often."""
        return "an IP address such as 127.0.0.1, or 0.0.0.0 for every IPv4 address"

    def schema(self) -> dict[str, Any]:
        """Return a string schema."""
        return {"type": "string", "pattern": "^[0-9A-Fa-f:.]{2,45}$", "examples": ["127.0.0.1"]}


@dataclass(frozen=True, slots=True)
class Network:
    """A network of IP addresses; an address alone is a network of one."""

    def read(self, raw: Raw) -> str:
        """Read a network of either version; bits beyond its length are a fault."""
        try:
            if isinstance(raw, str) and "%" not in raw:
                return str(ipaddress.ip_network(raw))
        except ValueError as error:
            raise Mismatch(self.expected()) from error
        raise Mismatch(self.expected())

    def write(self, value: str) -> Raw:
        """Write the network."""
        return value

    def expected(self) -> str:
        """Name it, with an example."""
        return "an IP network such as 10.0.0.0/8, or an IP address"

    def schema(self) -> dict[str, Any]:
        """Return a string schema."""
        return {
            "type": "string",
            "pattern": "^[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3}(?:\\.[0-9.]{1,11})?)?$",
            "examples": ["10.0.0.0/8"],
        }


@dataclass(frozen=True, slots=True)
class Either:
    """The first of several leaf kinds that takes the value: ``800ms`` or ``auto``."""

    kinds: tuple[Leaf, ...]

    def read(self, raw: Raw) -> Any:
        """Read with the first kind that takes it."""
        for kind in self.kinds:
            try:
                return kind.read(raw)
            except Mismatch:
                continue
        raise Mismatch(self.expected())

    def write(self, value: Any) -> Raw:
        """Write with the first kind that reads its own text back as the value."""
        for kind in self.kinds:
            try:
                raw = kind.write(value)
                if kind.read(raw) == value:
                    return raw
            except (Mismatch, TypeError, ValueError):
                continue
        raise AssertionError(f"no kind writes {value!r}")

    def expected(self) -> str:
        """Name all of them."""
        return ", or ".join(kind.expected() for kind in self.kinds)

    def schema(self) -> dict[str, Any]:
        """Return the union of the kinds."""
        return {"anyOf": [kind.schema() for kind in self.kinds]}


@dataclass(frozen=True, slots=True)
class Command:
    """A command line: one text, split as a shell would without running one, or a list of words."""

    def read(self, raw: Raw) -> tuple[str, ...]:
        """Read the words: 1 to 256, each and all together bounded as a text is."""
        if isinstance(raw, str) and len(raw) <= TEXT_MAX:
            try:
                words = shlex.split(raw)
            except ValueError as error:
                raise Mismatch(f"{self.expected()}; {error}") from error
        elif isinstance(raw, list) and all(isinstance(word, str) for word in raw):
            words = list(raw)
        else:
            raise Mismatch(self.expected())
        too_long = sum(len(word) for word in words) > TEXT_MAX
        if not 1 <= len(words) <= _WORDS_MAX or too_long or any("\x00" in word for word in words):
            raise Mismatch(self.expected())
        return tuple(words)

    def write(self, value: tuple[str, ...]) -> Raw:
        """Write the list of words."""
        return list(value)

    def expected(self) -> str:
        """Name both forms."""
        return "a command such as `gunicorn shop:app`, or a list of its words"

    def schema(self) -> dict[str, Any]:
        """Return a string or a list of words."""
        word = {"type": ["string", "number"]}
        words = {"type": "array", "items": word, "minItems": 1, "maxItems": _WORDS_MAX}
        return {"anyOf": [{"type": "string", "minLength": 1}, words]}


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose keys are the fields of a dataclass made with ``keys.key``.

    Attributes:
        cls: The dataclass.
        shorthand: The key that a bare scalar or list stands for, or None where only a mapping
            will do: ``bulkhead: 32`` for ``bulkhead: {limit: 32}``.
    """

    cls: type
    shorthand: str | None = None


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind, kept as a tuple.

    Attributes:
        item: Of each.
        maximum: How many there may be.
        single: Whether an item that is no list itself may stand for a list of one:
            ``methods: POST`` for ``methods: [POST]``.
    """

    item: "Kind"
    maximum: int = 64
    single: bool = False


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from names to one kind, kept as pairs in declared order (hashable)."""

    name: Text
    item: "Kind"
    maximum: int = 256


Kind = Leaf | Section | ListOf | MapOf


def takes_numerals(kind: Leaf) -> bool:
    """Return whether a plain number is taken as the text it was written as: version 1.10."""
    return isinstance(kind, Text | Command | Choice | Address)
