"""What a value may be: every kind writes what it reads, and refuses the rest in words."""

from typing import Any

import pytest

from mainstay.spec.declaration import Declaration
from mainstay.spec.kinds.keys import Key, keys_of
from mainstay.spec.kinds.kinds import (
    Address,
    Choice,
    Command,
    Either,
    Flag,
    Leaf,
    ListOf,
    MapOf,
    Mismatch,
    Network,
    Section,
    Text,
    Weight,
    Whole,
    takes_numerals,
)
from mainstay.spec.kinds.quantities import duration, percentage, size
from mainstay.spec.kinds.secret import Secret


def leaves(cls: type = Declaration) -> list[tuple[str, Key, Any]]:
    """Return every leaf key of the declaration, and its default."""
    found = []
    for _, key, default in keys_of(cls):
        kind = key.kind
        while isinstance(kind, ListOf | MapOf):
            kind = kind.item
        if isinstance(kind, Section):
            found += leaves(kind.cls)
        else:
            found.append((f"{cls.__name__}.{key.name}", key, default))
    return found


@pytest.mark.parametrize(("name", "key", "default"), leaves(), ids=lambda one: str(one)[:40])
def test_every_default_can_be_declared(name: str, key: Key, default: Any) -> None:
    """Within its own bounds, and the same when it is written and read."""
    assert not isinstance(key.kind, Section)
    if default is None or key.required or isinstance(key.kind, ListOf | MapOf):
        return
    assert key.kind.read(key.kind.write(default)) == default, name


@pytest.mark.parametrize(("name", "key", "default"), leaves(), ids=lambda one: str(one)[:40])
def test_every_quantity_takes_its_own_example(name: str, key: Key, default: Any) -> None:
    kind = key.kind
    if isinstance(kind, Either):
        kind = kind.kinds[0]
    example = getattr(kind, "example", None)
    if example is not None:
        assert isinstance(kind.read(example), object), name  # type: ignore[union-attr]
        assert example in kind.expected()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (duration(), "1m30s", 90.0),
        (duration(minimum_s=0.0), "0s", 0.0),
        (size(), "1GiB", 2**30),
        (percentage(), "50%", 0.5),
        (Whole(minimum=1, maximum=3), 3, 3),
        (Weight(maximum=1000), 250, 250),
        (Weight(maximum=1000), "90%", 90),
        (Flag(), True, True),
        (Flag(), "on", True),
        (Flag(), "off", False),
        (Text(), "x", "x"),
        (Text(pattern="a+"), "aa", "aa"),
        (Choice(("503", "connect")), "503", "503"),
        (Either((duration(), Choice(("auto",)))), "auto", "auto"),
        (Either((duration(), Choice(("auto",)))), "1s", 1.0),
        (Command(), "a 'b c'", ("a", "b c")),
        (Command(), ["a", "b"], ("a", "b")),
        (Address(), "127.0.0.1", "127.0.0.1"),
        (Address(), "::0001", "::1"),
        (Network(), "10.0.0.0/8", "10.0.0.0/8"),
        (Network(), "192.0.2.7", "192.0.2.7/32"),
        (Network(), "2001:DB8::/32", "2001:db8::/32"),
    ],
)
def test_what_a_kind_takes(kind: Leaf, raw: Any, value: Any) -> None:
    read = kind.read(raw)
    assert read == value
    assert type(read) is type(value)
    assert kind.read(kind.write(value)) == value


@pytest.mark.parametrize(
    ("kind", "raws"),
    [
        (duration(), [800, "800", "0s", "", None, True, [], "1s" * 100]),
        (size(minimum=100), ["99B", "1.5B", 512, "17TiB"]),
        (percentage(), ["101%", 0.5, "50"]),
        (Whole(minimum=1, maximum=3), [0, 4, True, 2.0, "2", None]),
        (Weight(maximum=1000), [-1, 1001, True, "101%", "9.5%", "90", None]),
        (Flag(), ["true", 1, 0, "yes", "no", "On", "", None]),
        (Text(), [1, None, True, "a\0b", "x" * 4097, Secret("r", "v")]),
        (Text(pattern="a+"), ["", "b", "aab", "aa\n"]),
        (Text(pattern="a+", secret=True), [Secret("r", "b"), Secret("r", "a" * 65_537)]),
        (Choice(("a", "b")), ["c", "", None, 1, []]),
        (Either((duration(), Choice(("auto",)))), ["never", 1, None]),
        (Command(), ["", [], ["a", 1], "a 'b", None, 1, "a\0b", ["x"] * 257, "x" * 4097]),
        (Network(), ["localhost", "10.0.0.1/8", "10.0.0.0/33", "fe80::%eth0/64", 1, None, ""]),
        (Address(), ["localhost", "1.2.3", "::1%eth0", 1, None, "999.1.1.1"]),
    ],
)
def test_what_a_kind_refuses(kind: Leaf, raws: list[Any]) -> None:
    for raw in raws:
        with pytest.raises(Mismatch) as caught:
            kind.read(raw)
        assert kind.expected() in str(caught.value)


def test_bounds_are_told() -> None:
    assert duration("5s", minimum_s=0.05, maximum_s=600).expected() == (
        "a duration such as 5s, 50ms to 10m"
    )
    assert Whole(minimum=1, maximum=3).expected() == "a whole number, 1 to 3"


def test_texts_take_numbers_as_written_and_quantities_do_not() -> None:
    assert takes_numerals(Text())
    assert takes_numerals(Choice(("503",)))
    assert takes_numerals(Command())
    assert not takes_numerals(duration())
    assert not takes_numerals(Whole(minimum=0, maximum=1))
