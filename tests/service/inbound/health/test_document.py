import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.health.document import (
    Finding,
    Identity,
    Outcome,
    Status,
    aggregate,
    body,
)
from mainstay.service.inbound.health.probes import Question, conclude
from mainstay.service.inbound.stopping.drain import Phase, phase_at

SHOP = Identity(service="shop", version="v1")


def outcome(
    status: Status, *, critical: bool = True, failing: bool | None = None, **finding: Any
) -> Outcome:
    return Outcome(
        finding=Finding(status=status, **finding),
        failing=status is Status.FAIL if failing is None else failing,
        critical=critical,
        component_type="component",
        at_s=1_800_000_000.0,
        age_s=2.04,
    )


OUTCOMES = st.dictionaries(
    st.text(max_size=5),
    st.builds(
        outcome,
        st.sampled_from(Status),
        critical=st.booleans(),
        failing=st.none() | st.booleans(),
    ),
    max_size=8,
)


@given(OUTCOMES)
def test_only_what_is_critical_fails_a_service(outcomes: dict[str, Outcome]) -> None:
    """The worst counts: fail needs a critical failure; pass needs that all pass."""
    fails = any(o.critical and o.failing for o in outcomes.values())
    passes = all(o.finding.status is Status.PASS and not o.failing for o in outcomes.values())
    expected = Status.FAIL if fails else Status.PASS if passes else Status.WARN
    assert aggregate(outcomes) is expected


@given(OUTCOMES)
def test_in_a_group_everything_is_critical(outcomes: dict[str, Outcome]) -> None:
    fails = any(o.failing for o in outcomes.values())
    assert (aggregate(outcomes, all_critical=True) is Status.FAIL) == fails


def test_a_body_has_the_format_of_the_draft() -> None:
    made = body(
        Status.WARN,
        identity=SHOP,
        outcomes={
            "disk": outcome(Status.WARN, observed=3.5, unit="percent free", output="little room")
        },
    )
    assert json.loads(made) == {
        "status": "warn",
        "version": "v1",
        "releaseId": "v1",
        "serviceId": "shop",
        "checks": {
            "disk": [
                {
                    "status": "warn",
                    "componentType": "component",
                    "observedValue": 3.5,
                    "observedUnit": "percent free",
                    "time": "2027-01-15T08:00:00.000Z",
                    "ageSeconds": 2.0,
                    "output": "little room",
                }
            ]
        },
    }


def test_the_whole_tells_what_people_want_to_know() -> None:
    identity = replace(
        SHOP,
        description="Sells bicycles.",
        notes=("read only on Sundays",),
        links=(("about", "https://wiki.example/shop"),),
    )
    made = json.loads(body(Status.PASS, identity=identity, outcomes={}, whole=True))
    assert made["description"] == "Sells bicycles."
    assert made["notes"] == ["read only on Sundays"]
    assert made["links"] == {"about": "https://wiki.example/shop"}
    assert "notes" not in json.loads(body(Status.PASS, identity=identity, outcomes={}))


def entry(one: Outcome) -> Any:
    return json.loads(body(Status.PASS, identity=SHOP, outcomes={"a": one}))["checks"]["a"][0]


def test_what_was_not_measured_shows_how_long_it_took() -> None:
    took = entry(replace(outcome(Status.PASS), took_s=0.01234))
    assert (took["observedValue"], took["observedUnit"]) == (12.3, "ms")
    assert "observedValue" not in entry(outcome(Status.FAIL, output="timeout"))


def test_what_suffers_is_told_while_it_does() -> None:
    good = replace(outcome(Status.PASS), affects=("/orders",), component_id="catalog")
    assert "affectedEndpoints" not in entry(good)
    assert entry(good)["componentId"] == "catalog"
    bad = replace(outcome(Status.FAIL), affects=("/orders",))
    assert entry(bad)["affectedEndpoints"] == ["/orders"]


@pytest.mark.parametrize(
    ("found", "failing", "against", "status", "output"),
    [
        (Status.FAIL, False, 1, "warn", "1 of 3 failures in a row: timeout"),
        (Status.FAIL, True, 0, "fail", "timeout"),
        (Status.PASS, True, 2, "fail", "2 of 3 good answers in a row: timeout"),
        (Status.WARN, False, 0, "warn", "timeout"),
    ],
)
def test_how_far_an_answer_is_from_counting(
    *, found: Status, failing: bool, against: int, status: str, output: str
) -> None:
    one = outcome(found, failing=failing, output="timeout")
    shown = entry(replace(one, against=against, needed=3))
    assert (shown["status"], shown["output"]) == (status, output)


def test_output_is_bounded() -> None:
    outcomes = {"a": outcome(Status.FAIL, output="x" * 10_000)}
    assert len(body(Status.FAIL, identity=SHOP, outcomes=outcomes)) < 500


@given(
    question=st.sampled_from(Question),
    started=st.booleans(),
    stopping=st.booleans(),
    outcomes=OUTCOMES,
)
def test_what_each_probe_says(
    *, question: Question, started: bool, stopping: bool, outcomes: dict[str, Outcome]
) -> None:
    """Live never fails; startup fails before the start only; ready needs everything."""
    status, why = conclude(question, started=started, stopping=stopping, outcomes=outcomes)
    failed = status is Status.FAIL
    if question is Question.LIVE:
        assert not failed
    elif question is Question.STARTUP:
        assert failed == (not started)
    elif question is Question.GROUP:
        assert failed == any(one.failing for one in outcomes.values())
    else:
        assert failed == (not started or stopping or aggregate(outcomes) is Status.FAIL)
    assert why in {None, "starting", "draining"}


@given(
    waited_s=st.none() | st.floats(0, 100),
    pending=st.integers(0, 5),
    delay_s=st.floats(0, 50),
    bound_s=st.floats(0.001, 50),
)
def test_phases_of_a_drain(
    waited_s: float | None, pending: int, delay_s: float, bound_s: float
) -> None:
    """Never stopped before the delay, nor with time left and something pending; never later."""
    phase = phase_at(waited_s=waited_s, pending=pending, delay_s=delay_s, bound_s=bound_s)
    if waited_s is None:
        assert phase is Phase.SERVING
    elif waited_s < delay_s:
        assert phase is Phase.LINGERING
    elif waited_s >= delay_s + bound_s or not pending:
        assert phase is Phase.STOPPED
    else:
        assert phase is Phase.FINISHING
