"""The page of all names is made of the table of metrics and of what is golden of other signals."""

from pathlib import Path

from mainstay.telemetry.reference import reference_page

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "telemetry" / "golden"
PAGE = ROOT / "docs" / "reference" / "telemetry.md"

OF_METRICS = "metrics.txt"


def page() -> str:
    """Return the page as it should be."""
    others = sorted(one for one in GOLDEN.glob("*.txt") if one.name != OF_METRICS)
    return reference_page({one.stem.capitalize(): one.read_text("utf-8") for one in others})


def test_the_page_has_every_name() -> None:
    """Run this file as a program to write it anew, and read the difference."""
    assert PAGE.read_text("utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
