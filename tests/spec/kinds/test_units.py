"""Quantities: every text has one value, and every value a text that reads back as it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.spec.kinds import units
from mainstay.spec.kinds.units import Between, ShareOfCalls, UnitError

_NUMBERS = st.from_regex(r"\A(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?\Z")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("800ms", 0.8), ("1.5s", 1.5), ("1m30s", 90.0), ("30d", 2_592_000.0), ("0s", 0.0),
     ("5 s", 5.0), ("1us", 1e-6), ("366d", 366 * 86400.0)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert units.duration_s(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "5 parsecs", "-1s", "1s ", " 1s", "1.s", "367d", "0.0001us", "٣s", "1s\n"],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UnitError):
        units.duration_s(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.8, "800ms"), (2.55, "2.55s"), (0.15, "150ms"), (90.0, "90s"), (60.0, "1m"), (0.0, "0s"),
     (3600.0, "1h"), (2_592_000.0, "30d"), (0.0005, "500us"), (3e-9, "0.003us")],
)  # fmt: skip
def test_durations_are_written_as_people_write_them(seconds: float, text: str) -> None:
    assert units.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("parse", "write", "suffixes"),
    [
        (units.duration_s, units.duration_text, ("us", "ms", "s", "m", "h", "d")),
        (units.size_bytes, units.size_text, ("B", "KB", "MiB", "GB", "TiB", "TB")),
        (units.share, units.share_text, ("%", " %")),
        (units.rate_per_s, units.rate_text, ("/s", "/min", " / h", "/d", "/m")),
    ],
    ids=["duration", "size", "share", "rate"],
)
def test_what_is_read_is_written_and_read_again_exactly(
    parse: Callable[[str], Any], write: Callable[[Any], str], suffixes: tuple[str, ...]
) -> None:
    """The law that makes load, dump, load the same."""

    @given(_NUMBERS, st.sampled_from(suffixes))
    def law(number: str, suffix: str) -> None:
        try:
            value = parse(number + suffix)
        except UnitError:
            return
        assert parse(write(value)) == value

    law()


@given(st.text(max_size=40))
def test_no_text_ends_in_anything_but_a_value_or_a_unit_error(text: str) -> None:
    for parse in (
        units.duration_s, units.size_bytes, units.share, units.rate_per_s, units.between,
        units.share_of_calls,
    ):  # fmt: skip
        try:
            assert parse(text) is not None
        except UnitError as error:
            assert str(error)  # noqa: PT017  Either is right.


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 2**29), ("10MB", 10**7), ("1.5KiB", 1536), ("0B", 0), ("8TiB", 2**43)],
)
def test_sizes(text: str, size: int) -> None:
    assert units.size_bytes(text) == size


@pytest.mark.parametrize("text", ["1.5B", "0.3KiB", "5", "5 kb", "1000TiB", "1PiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UnitError):
        units.size_bytes(text)


def test_shares_and_rates() -> None:
    assert units.share("99.9%") == 0.999
    assert units.share_text(0.999) == "99.9%"
    assert units.rate_per_s("5/min") == 5 / 60
    assert units.rate_text(5 / 60) == "5/min"
    assert units.rate_text(100.0) == "100/s"
    for text in ("101%", "0/s", "5", "-1%", "5/year"):
        with pytest.raises(UnitError):
            units.share(text)
        with pytest.raises(UnitError):
            units.rate_per_s(text)


def test_ranges() -> None:
    assert units.between("50ms..1s") == Between(low_s=0.05, high_s=1.0)
    assert units.between("1.5s .. 2s") == Between(low_s=1.5, high_s=2.0)
    assert units.between_text(Between(low_s=0.05, high_s=1.0)) == "50ms..1s"
    for text in ("1s..50ms", "1s", "..", "1s..", "1s...2s"):
        with pytest.raises(UnitError):
            units.between(text)


def test_shares_of_calls() -> None:
    over_time = ShareOfCalls(share=0.5, calls_min=20, window_s=30.0)
    over_calls = ShareOfCalls(share=0.5, calls_min=20, window_calls=100)
    assert units.share_of_calls("50% of 20 in 30s") == over_time
    assert units.share_of_calls("50% of 20 in 100 calls") == over_calls
    for value in (over_time, over_calls):
        assert units.share_of_calls(units.share_of_calls_text(value)) == value
    for text in ("50% of 20", "0% of 20 in 30s", "50% of 0 in 30s", "50% of 20 in 10 calls",
                 "50% of 20 in 0s", "50% of 20 in 30"):  # fmt: skip
        with pytest.raises(UnitError):
            units.share_of_calls(text)
