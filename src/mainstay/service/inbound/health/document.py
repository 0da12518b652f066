"""Health, decided: from the outcomes of checks to a status and an ``application/health+json`` body.

Source of the format: draft-inadarei-api-health-check-06. Running the checks is ``board.py``'s.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from mainstay.core.clock import utc_text

HEALTH_TYPE = "application/health+json"

HEALTH_HEADERS = ((b"content-type", HEALTH_TYPE.encode()), (b"cache-control", b"no-store"))
"""Of every answer to a probe."""

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
        observed: The figure that was looked at; None shows how long the check took.
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
    """What a check last found, of which check, when, and what that makes it count as.

    Attributes:
        finding: What it found last.
        critical: Whether the service can't be ready when it fails.
        component_type: ``component``, ``datastore`` or ``system``.
        at_s: Wall time at which the check ended.
        age_s: How long ago that was.
        took_s: How long it took; None where it did not end.
        failing: Whether it counts as failed, after the thresholds.
        against: How many answers in a row say the opposite of ``failing``.
        needed: How many are needed until they count.
        component_id: Which of several it is; None where there is one.
        affects: Paths of the service that suffer while it fails.
    """

    finding: Finding
    critical: bool
    component_type: str
    at_s: float
    failing: bool
    age_s: float = 0.0
    took_s: float | None = None
    against: int = 0
    needed: int = 1
    component_id: str | None = None
    affects: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """What it counts as: a failure that does not count yet is a warning."""
        if self.failing:
            return Status.FAIL
        return Status.WARN if self.finding.status is Status.FAIL else self.finding.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What health says of the service whatever its checks find.

    Attributes:
        service: Its name.
        version: What runs.
        description: What it is, or None.
        notes: For people.
        links: Relation and URL.
    """

    service: str
    version: str
    description: str | None = None
    notes: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def aggregate(outcomes: Mapping[str, Outcome], *, all_critical: bool = False) -> Status:
    """Return the worst that the service has to say: fail only for what is critical.

    Args:
        outcomes: Of its checks.
        all_critical: Whether every one of them is, as in a group.
    """
    worst = Status.PASS
    for outcome in outcomes.values():
        status = outcome.status
        if status is Status.PASS:
            continue
        if status is Status.FAIL and (all_critical or outcome.critical):
            return Status.FAIL
        worst = Status.WARN
    return worst


def body(
    status: Status,
    *,
    identity: Identity,
    outcomes: Mapping[str, Outcome],
    output: str | None = None,
    whole: bool = False,
) -> bytes:
    """Return the body of a health answer.

    Args:
        status: Of the service as a whole.
        identity: Which service it is.
        outcomes: The checks to show, by name.
        output: Why the service as a whole is so, where that is no check's doing.
        whole: Whether description, notes and links are told too.
    """
    document: dict[str, object] = {
        "status": status.value,
        "version": identity.version,
        "releaseId": identity.version,
        "serviceId": identity.service,
    }
    if output is not None:
        document["output"] = output
    if whole:
        if identity.description is not None:
            document["description"] = identity.description
        if identity.notes:
            document["notes"] = identity.notes
        if identity.links:
            document["links"] = dict(identity.links)
    if outcomes:
        document["checks"] = {name: [_entry(outcome)] for name, outcome in outcomes.items()}
    return json.dumps(document).encode()


def status_alone(status: Status) -> bytes:
    """Return the body of a health answer for who is to know no more."""
    return json.dumps({"status": status.value}).encode()


def _entry(outcome: Outcome) -> dict[str, object]:
    finding = outcome.finding
    entry: dict[str, object] = {
        "status": outcome.status.value,
        "componentType": outcome.component_type,
        "time": utc_text(outcome.at_s),
        # Not of the draft, which lets extensions be: nobody likes to subtract times of day.
        "ageSeconds": round(outcome.age_s, 1),
    }
    if outcome.component_id is not None:
        entry["componentId"] = outcome.component_id
    if finding.observed is not None:
        entry["observedValue"] = finding.observed
        if finding.unit is not None:
            entry["observedUnit"] = finding.unit
    elif outcome.took_s is not None:
        entry["observedValue"] = round(outcome.took_s * 1000, 1)
        entry["observedUnit"] = "ms"
    if outcome.affects and outcome.status is not Status.PASS:
        entry["affectedEndpoints"] = outcome.affects
    output = _output(outcome)
    if output:
        entry["output"] = output[:_OUTPUT_CHARS_MAX]
    return entry


def _output(outcome: Outcome) -> str:
    """Return what the check said, and how many answers are still missing until it counts."""
    said = outcome.finding.output or ""
    if not outcome.against:
        return said
    kind = "good answers" if outcome.failing else "failures"
    return f"{outcome.against} of {outcome.needed} {kind} in a row{': ' if said else ''}{said}"
