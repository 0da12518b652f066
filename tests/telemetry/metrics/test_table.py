"""The names of all metrics are those that are written down: dashboards and alerts stand on them."""

from pathlib import Path

from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics
from mainstay.telemetry.metrics.table import ROWS, Row, counter, family

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "telemetry" / "golden" / "metrics.txt"


PREFIXES = ("mainstay_", "http_", "db_", "rpc_", "process_")


def line(row: Row) -> str:
    labels = ", ".join(row.labels)
    return f"{row.kind.value:9} {row.family.name}{{{labels}}}"


def test_every_metric_is_written_down() -> None:
    """Run this file as a program to write them anew, and read the difference."""
    assert GOLDEN.read_text("utf-8").splitlines() == sorted(map(line, ROWS))


def test_no_name_is_there_twice() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names)


def test_what_a_service_makes_is_in_the_table_and_the_same() -> None:
    metrics = ServiceMetrics(Declaration(service="web", app="web:app"), Metrics(), environ={})
    families = {row.family for row in ROWS}
    assert {one for one in metrics.registry.snapshot() if one not in families} == set()


def test_our_own_names_follow_the_conventions() -> None:
    for row in ROWS:
        assert row.name.startswith(PREFIXES) or row.name == "target", row.name
        assert row.doc.endswith((".", "...")), row.name
        assert row.unit in {"", "seconds", "bytes"}, row.name
        assert family(row.name) == row.family


def test_a_row_makes_the_metric_that_it_says() -> None:
    made = counter(Registry(), "mainstay_retries")
    assert made.family == family("mainstay_retries")


if __name__ == "__main__":
    GOLDEN.write_text("".join(f"{one}\n" for one in sorted(map(line, ROWS))), "utf-8")
