"""Health, decided: from the outcomes of checks to a status and an ``application/health+json`` body.

Source of the format: draft-inadarei-api-health-check-06. Running the checks is ``board.py``'s.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mainstay.core.clock import utc_text

HEALTH_TYPE = "application/health+json"
_OUTPUT_CHARS_MAX = 200


class Status(Enum):
    """How something is. A warning is for people; only a failure turns traffic away."""

    PASS = "pass"  # noqa: S105  The format's word for healthy.
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        status: How it is. A failed check that isn't critical counts as a warning of the service.
        observed: The figure that was looked at, or None.
        unit: Unit of ``observed``, or None.
        output: A few words for people, shown to everybody: never an address or a message of an
            exception, which may hold a credential.
    """

    status: Status
    observed: float | None = None
    unit: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finding, of which check, and when.

    Attributes:
        finding: What it found.
        critical: Whether the service can't be ready when it fails.
        component_type: ``component``, ``datastore`` or ``system``.
        at_s: Wall time at which the check ended.
    """

    finding: Finding
    critical: bool
    component_type: str
    at_s: float


def aggregate(outcomes: Mapping[str, Outcome]) -> Status:
    """Return the worst that the service has to say: fail only for what is critical."""
    worst = Status.PASS
    for outcome in outcomes.values():
        if outcome.finding.status is Status.PASS:
            continue
        if outcome.critical and outcome.finding.status is Status.FAIL:
            return Status.FAIL
        worst = Status.WARN
    return worst


def body(
    status: Status,
    *,
    service: str,
    version: str,
    outcomes: Mapping[str, Outcome],
    output: str | None = None,
) -> bytes:
    """Return the body of a health answer.

    Args:
        status: Of the service as a whole.
        service: Its name.
        version: What runs.
        outcomes: The checks to show, by name.
        output: Why the service as a whole is so, where that is no check's doing.
    """
    document: dict[str, object] = {"status": status.value, "version": version, "serviceId": service}
    if output is not None:
        document["output"] = output
    if outcomes:
        document["checks"] = {name: [_entry(outcome)] for name, outcome in outcomes.items()}
    return json.dumps(document).encode()


def _entry(outcome: Outcome) -> dict[str, object]:
    finding = outcome.finding
    entry: dict[str, object] = {
        "status": finding.status.value,
        "componentType": outcome.component_type,
        "time": utc_text(outcome.at_s),
    }
    if finding.observed is not None:
        entry["observedValue"] = finding.observed
    if finding.unit is not None:
        entry["observedUnit"] = finding.unit
    if finding.output is not None:
        entry["output"] = finding.output[:_OUTPUT_CHARS_MAX]
    return entry
