"""Every name of a breadcrumb, and its fields: a change of them is a visible difference.

Run this file as a program to write the golden file anew, and read the difference.
"""

from pathlib import Path
from typing import Any

from tests.telemetry.happened import kinds_of, one_of

from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.outbound.events import Attempted, CallEnded, CircuitChanged
from mainstay.telemetry.reports.breadcrumbs import OF_PROCESS_MAX, Breadcrumbs

GOLDEN = Path(__file__).parents[1] / "golden" / "breadcrumbs.txt"


def crumbs() -> list[dict[str, Any]]:
    """Return one of each kind, with everything that it may have. Any: JSON."""
    found: list[dict[str, Any]] = []
    for kind in kinds_of():
        # A ring for each, since one is too short for all.
        breadcrumbs = Breadcrumbs()
        breadcrumbs.heard(one_of(kind))
        found += breadcrumbs.of(None)
    return found


def page() -> str:
    lines = []
    for crumb in crumbs():
        lines.append(f"before an error: category {crumb['category']!r}")
        lines += [f"  {name}" for name in sorted(crumb["data"])]
    return "\n".join([*lines, ""])


def test_the_names_are_those_that_are_written_down() -> None:
    assert GOLDEN.read_text("utf-8") == page()


def test_each_crumb_is_of_the_kind_that_sentry_takes() -> None:
    assert {one["type"] for one in crumbs()} == {"default"}
    assert {one["level"] for one in crumbs()} == {"info"}


def test_what_went_well_pushes_nothing_out() -> None:
    """Law: the few that are kept say what went wrong."""
    breadcrumbs = Breadcrumbs()
    breadcrumbs.heard(one_of(CircuitChanged))
    for _ in range(OF_PROCESS_MAX):
        breadcrumbs.heard(one_of(CallEnded, status=200, error=None, system="http"))
        breadcrumbs.heard(one_of(Attempted, outcome="success"))
        breadcrumbs.heard(one_of(BackgroundEnded, error=None))
    breadcrumbs.heard(one_of(CallEnded, status=503, error=None, system="http"))
    found = [one["category"] for one in breadcrumbs.of(None)]
    assert found == ["mainstay.circuit_changed", "mainstay.call_ended"]


if __name__ == "__main__":
    GOLDEN.write_text(page(), "utf-8")
