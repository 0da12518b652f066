"""Each reader of options at its bounds: what it returns, and what it says of a wrong value."""

from collections.abc import Callable
from typing import Any

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.service.outbound.quantity import Options
from mainstay.spec.kinds.units import DURATION_S_MAX, RATE_PER_S_MAX, Between, ShareOfCalls

SECONDS = "seconds or a text such as '800ms', {} to {}"
SHARE_OF_CALLS = "'50% of 20 in 30s' or '50% of 20 in 100 calls'"
RANGE = "a range such as '50ms..1s' or (0.05, 1.0)"


# Any: readers take whatever users write.
def read(reader: Callable[..., Any], *args: Any, **bounds: Any) -> tuple[Any, list[str]]:
    """Return what a reader makes of a value, and what is wrong with it."""
    options = Options("Part")
    found = reader(options, "size", *args, **bounds)
    try:
        options.done()
    except ConfigInvalid as error:
        return found, [str(fault) for fault in error.faults]
    return found, []


def wrong(expected: str, found: object) -> list[str]:
    return [f"Part(size=...): expected {expected}, found {found!r}"]


@pytest.mark.parametrize("value", [0.5, 1, 2.0, "500ms", " 2s "])
def test_seconds_are_seconds_at_both_bounds(value: object) -> None:
    found, said = read(Options.seconds, value, minimum=0.5, maximum=2.0)
    assert said == []
    assert type(found) is float
    assert found == {"500ms": 0.5, " 2s ": 2.0}.get(str(value), value)


@pytest.mark.parametrize(
    "value", [0.4999, 2.0001, "499ms", "2001ms", "soon", float("nan"), float("inf"), True, None]
)
def test_the_least_stands_in_for_wrong_seconds(value: object) -> None:
    found, said = read(Options.seconds, value, minimum=0.5, maximum=2.0)
    assert (found, said) == (0.5, wrong(SECONDS.format("500ms", "2s"), value))


def test_without_bounds_seconds_are_a_millisecond_to_a_year() -> None:
    for right_s in (0.001, DURATION_S_MAX):
        assert read(Options.seconds, right_s) == (right_s, [])
    for value in (0.0009, DURATION_S_MAX + 1):
        expected = SECONDS.format("1ms", "366d")
        assert read(Options.seconds, value) == (0.001, wrong(expected, value))


@pytest.mark.parametrize("value", [2, 6, True, 3.0, "3", None])
def test_the_least_stands_in_for_a_wrong_whole_number(value: object) -> None:
    expected = "a whole number, 3 to 5"
    assert read(Options.whole, value, 3, 5) == (3, wrong(expected, value))
    assert [read(Options.whole, right, 3, 5) for right in (3, 5)] == [(3, []), (5, [])]


@pytest.mark.parametrize("value", [0.4, 2.1, True, "1", None])
def test_the_least_stands_in_for_a_wrong_number(value: object) -> None:
    expected = "a number, 0.5 to 2"
    assert read(Options.number, value, 0.5, 2.0) == (0.5, wrong(expected, value))
    for right in (0.5, 1, 2):
        found, said = read(Options.number, right, 0.5, 2.0)
        assert (found, said, type(found)) == (right, [], float)


def test_shares_are_of_one() -> None:
    for right, share in ((0, 0.0), (1.0, 1.0), ("20%", 0.2), (" 100% ", 1.0)):
        assert read(Options.share, right) == (share, [])
    for text in ("120%", "some"):
        assert read(Options.share, text) == (0.0, wrong("a share such as 0.2 or '20%'", text))
    for number in (-0.01, 1.01):
        assert read(Options.share, number) == (0.0, wrong("a number, 0 to 1", number))


def test_rates_are_a_second() -> None:
    for right, per_s in ((0, 0.0), (RATE_PER_S_MAX, 1e12), ("50/s", 50.0), (" 120/min ", 2.0)):
        assert read(Options.rate, right) == (per_s, [])
    for text in ("0/s", "often"):
        expected = "a rate such as 50.0 (a second) or '50/s'"
        assert read(Options.rate, text) == (0.0, wrong(expected, text))
    for number in (-0.01, 1.1e12):
        assert read(Options.rate, number) == (0.0, wrong("a number, 0 to 1000000000000", number))


def test_ranges_are_two_durations() -> None:
    asked = Between(low_s=1.0, high_s=2.0)
    assert read(Options.between, asked)[0] is asked
    for right in (" 1s..2s ", (1, 2), ("1s", "2s")):
        assert read(Options.between, right) == (asked, [])
    assert read(Options.between, (0, 0)) == (Between(low_s=0.0, high_s=0.0), [])


@pytest.mark.parametrize("value", ["1s", "2s..1s", (2, 1), (1,), (1, 2, 3), [1, 2], "ab", None, 3])
def test_nothing_stands_in_for_a_wrong_range(value: object) -> None:
    nothing = Between(low_s=0.0, high_s=0.0)
    assert read(Options.between, value) == (nothing, wrong(RANGE, value))


def test_each_end_of_a_range_is_told_by_itself() -> None:
    seconds = SECONDS.format("0s", "366d")
    low = read(Options.between, ("soon", 2.0))
    assert low == (Between(low_s=0.0, high_s=2.0), wrong(seconds, "soon"))
    high = read(Options.between, (0.0, -1.0))
    assert high == (Between(low_s=0.0, high_s=0.0), wrong(seconds, -1.0))
    # Both at once: what stands in for a wrong end is no range either, and is not told.
    assert read(Options.between, (5.0, -1.0))[1] == wrong(seconds, -1.0)


def test_shares_of_calls_are_read_once() -> None:
    share = ShareOfCalls(share=0.5, calls_min=4, window_s=10.0)
    assert read(Options.share_of_calls, None) == (None, [])
    assert read(Options.share_of_calls, share)[0] is share
    assert read(Options.share_of_calls, " 50% of 4 in 10s ") == (share, [])
    assert read(Options.share_of_calls, 0.5) == (None, wrong(SHARE_OF_CALLS, 0.5))
    because = "(not a share of calls: 'half')"
    expected = wrong(f"{SHARE_OF_CALLS} {because}", "half")
    assert read(Options.share_of_calls, "half") == (None, expected)


def test_names_are_a_tuple_of_texts() -> None:
    for right in ((), ("a", "b")):
        assert read(Options.names, right)[1] == []
    for value in ("ab", ["a"], ("a", 1)):
        assert read(Options.names, value)[1] == wrong("a tuple of names", value)


def test_functions_can_be_called_or_are_none() -> None:
    for right in (None, len):
        assert read(Options.function, right)[1] == []
    for value in (3, "len"):
        assert read(Options.function, value)[1] == wrong("a function", value)


def test_texts_have_a_least_and_a_most() -> None:
    for right in ("a", "abc"):
        assert read(Options.text, right, 3)[1] == []
    for value in ("", "abcd", None, ("a",)):
        assert read(Options.text, value, 3)[1] == wrong("a text of 1 to 3 characters", value)


def test_the_first_word_stands_in_for_a_wrong_one() -> None:
    words = ("red", "green")
    for right in words:
        assert read(Options.choice, right, words) == (right, [])
    for value in ("blue", 3, None):
        assert read(Options.choice, value, words) == ("red", wrong("one of red, green", value))
