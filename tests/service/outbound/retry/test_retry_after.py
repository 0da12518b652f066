import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.retry.retry_after import LONGEST_S, http_date, retry_after_s

NOON_S = 1_767_268_800.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0000000000007", 7.0),
        ("9" * 9, 999_999_999.0),
        ("9" * 10, LONGEST_S),
        ("9" * 100_000, LONGEST_S),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thursday, 01-Jan-26 12:00:30 GMT", 30.0),
        ("Thu Jan  1 12:00:30 2026", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
    ],
)
def test_seconds_and_the_three_forms_of_a_date_are_understood(value: str, expected: float) -> None:
    assert retry_after_s(value, now_wall_s=NOON_S) == expected


@pytest.mark.parametrize(
    "value",
    ["", "-1", "1.5", "soon", "1e9", "٣", "Thu, 99 Foo 2026 12:00:30 GMT", "x " * 100,
     "Thu, 01 Jan 999999999 12:00:00 GMT"],
)  # fmt: skip
def test_what_is_no_delay_is_none_and_never_an_error(value: str) -> None:
    assert retry_after_s(value, now_wall_s=NOON_S) is None


@given(st.text(max_size=80))
def test_hostile_text_is_a_bounded_delay_or_none(value: str) -> None:
    found_s = retry_after_s(value, now_wall_s=NOON_S)
    assert found_s is None or (found_s >= 0 and math.isfinite(found_s))


@given(st.integers(0, int(LONGEST_S)))
def test_a_date_comes_back(wall_s: int) -> None:
    found_s = retry_after_s(http_date(wall_s), now_wall_s=0.0)
    assert found_s == float(wall_s)
