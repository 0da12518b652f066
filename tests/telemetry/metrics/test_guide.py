"""The guide's example runs as it stands, and its expressions name metrics that there are."""

import re
from pathlib import Path
from typing import Any

from tests.telemetry.metrics.parsing import parse

from mainstay.telemetry.metrics import Registry
from mainstay.telemetry.metrics.exposition.endpoint import Endpoint
from mainstay.telemetry.metrics.table import ROWS

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "metrics.md").read_text("utf-8")


def test_the_example_counts() -> None:
    (code, *_) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "metrics.md", "exec"), names)  # noqa: S102  Our own documents.
    registry = names["registry"]
    assert isinstance(registry, Registry)
    told = Endpoint(registry.snapshot, registry.exemplars).answer().body.decode()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(told, openmetrics=False)
        for sample in family.samples
    }
    assert found["orders_total", "eu", "card"] == 1
    assert found["stock", "sail"] == 17
    assert found["payment_seconds_sum",] == 0.23
    assert found["queue_depth",] == 3


def test_each_metric_that_is_named_is_there() -> None:
    named = set(re.findall(r"\b(?:mainstay|http|db|rpc|process)_[a-z_]+", GUIDE))
    families = {row.family.name for row in ROWS}
    labels = {label for row in ROWS for label in row.labels}
    samples = {f"{name}{end}" for name in families for end in ("", "_total", "_bucket", "_count")}
    assert len(named & samples) >= 9
    assert named - samples - labels == set()
