"""Prometheus' own parsers, of both formats."""

from typing import Any

from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families


def parse(text: str, *, openmetrics: bool) -> list[Any]:
    """Return the families of a text. Any: they ship no types.

    Raises:
        ValueError: It is no such text.
    """
    if openmetrics:
        return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # As above.
    return list(text_string_to_metric_families(text))
