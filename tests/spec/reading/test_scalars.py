import pytest

from mainstay.spec.reading.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("0", 0), ("8080", 8080), ("-3", -3), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5),
    ],
)  # fmt: skip
def test_what_a_plain_scalar_means(text: str, value: object) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    "text",
    ["no", "yes", "on", "off", "y", "tRUE", "1_000", "0777", "0o17", "0x1f", "12:30", "1.2.3",
     "2026-01-31", "+", "-", ".", "1e", ".inf", ".nan", "9" * 40, "٣"],
)  # fmt: skip
def test_what_stays_text(text: str) -> None:
    assert resolve(text) == text
