"""Commands as bytes, and answers as values or errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import PolicyMisused, StoreRefused
from mainstay.state.valkey.resp import Reader, ReplyError
from mainstay.state.valkey.words import (
    UNFIT,
    Script,
    Word,
    checked,
    is_unknown,
    packed,
    packed_words,
)  # fmt: skip

WORDS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.binary(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
    ),
    max_size=8,
)


def read(raw: bytes) -> list[bytes]:
    reader = Reader()
    reader.feed(raw)
    found: list[bytes] = reader.gets()
    assert reader.gets() is False
    return found


def meant(word: Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


@given(WORDS)
def test_a_command_arrives_as_it_was_meant(words: list[Word]) -> None:
    """Whatever is in a word, it stays one word: nothing can be smuggled in."""
    name, *rest = read(packed(("SET", *words)))
    assert name == b"SET"
    for word, arrived in zip(words, rest, strict=True):
        if isinstance(word, float):
            assert float(arrived) == word
        else:
            assert arrived == meant(word)


@pytest.mark.parametrize("name", sorted(UNFIT))
def test_what_needs_a_connection_of_its_own_is_refused(name: str) -> None:
    with pytest.raises(PolicyMisused, match=name):
        packed((name.lower(), "x"))


def test_a_read_that_waits_is_refused_and_one_that_does_not_is_not() -> None:
    with pytest.raises(PolicyMisused):
        packed(("XREAD", "block", 0, "STREAMS", "s", "$"))
    assert packed(("XREAD", "STREAMS", "s", "0"))


@pytest.mark.parametrize("words", [(), (b"GET", "x"), (5,)])
def test_a_command_begins_with_its_name(words: tuple[Word, ...]) -> None:
    with pytest.raises(PolicyMisused):
        packed(words)


def test_a_word_that_is_none_is_refused_and_not_shown() -> None:
    with pytest.raises(PolicyMisused) as caught:
        packed(("SET", "key", ["hunter2"]))  # type: ignore[arg-type]  # The mistake.
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
    with pytest.raises(PolicyMisused):
        packed(("SET", "\ud800"))


def test_an_error_is_raised_with_its_code() -> None:
    with pytest.raises(StoreRefused) as caught:
        checked(ReplyError("WRONGTYPE Operation against a key"))
    assert caught.value.code == "WRONGTYPE"
    assert caught.value.begun


def test_a_script_is_called_by_name_or_whole() -> None:
    script = Script("return ARGV[1]")
    rest = packed_words((1, "key", "é", 1.5))
    assert read(script.by_name(4, rest)) == [
        b"EVALSHA", script.sha.encode(), b"1", b"key", "é".encode(), b"1.5",
    ]  # fmt: skip
    assert read(script.whole(4, rest))[:3] == [b"EVAL", b"return ARGV[1]", b"1"]


def test_a_script_that_is_not_known_is_told_from_other_answers() -> None:
    assert is_unknown(ReplyError("NOSCRIPT No matching script."))
    assert not is_unknown(ReplyError("ERR NOSCRIPT"))
    assert not is_unknown(b"NOSCRIPT")
