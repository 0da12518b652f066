import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.health.document import Finding, Outcome, Status, aggregate, body
from mainstay.service.inbound.health.probes import Probe, conclude
from mainstay.service.inbound.stopping.drain import Phase, phase_at


def outcome(status: Status, *, critical: bool = True, **finding: Any) -> Outcome:
    return Outcome(
        finding=Finding(status=status, **finding),
        critical=critical,
        component_type="component",
        at_s=1_800_000_000.0,
    )


OUTCOMES = st.dictionaries(
    st.text(max_size=5),
    st.builds(outcome, st.sampled_from(Status), critical=st.booleans()),
    max_size=8,
)


@given(OUTCOMES)
def test_only_what_is_critical_fails_a_service(outcomes: dict[str, Outcome]) -> None:
    """The worst counts: fail needs a critical failure; pass needs that all pass."""
    fails = any(o.critical and o.finding.status is Status.FAIL for o in outcomes.values())
    passes = all(o.finding.status is Status.PASS for o in outcomes.values())
    expected = Status.FAIL if fails else Status.PASS if passes else Status.WARN
    assert aggregate(outcomes) is expected


def test_a_body_has_the_format_of_the_draft() -> None:
    made = body(
        Status.WARN,
        service="shop",
        version="v1",
        outcomes={
            "disk": outcome(Status.WARN, observed=3.5, unit="percent free", output="little room")
        },
    )
    assert json.loads(made) == {
        "status": "warn",
        "version": "v1",
        "serviceId": "shop",
        "checks": {
            "disk": [
                {
                    "status": "warn",
                    "componentType": "component",
                    "observedValue": 3.5,
                    "observedUnit": "percent free",
                    "time": "2027-01-15T08:00:00.000Z",
                    "output": "little room",
                }
            ]
        },
    }


def test_output_is_bounded() -> None:
    made = body(
        Status.FAIL,
        service="s",
        version="v",
        outcomes={"a": outcome(Status.FAIL, output="x" * 10_000)},
    )
    assert len(made) < 500


@given(
    probe=st.sampled_from(Probe), started=st.booleans(), stopping=st.booleans(), outcomes=OUTCOMES
)
def test_what_each_probe_says(
    *, probe: Probe, started: bool, stopping: bool, outcomes: dict[str, Outcome]
) -> None:
    """Live never fails; startup fails before the start only; ready needs everything."""
    status, why = conclude(probe, started=started, stopping=stopping, outcomes=outcomes)
    failed = status is Status.FAIL
    if probe is Probe.LIVE:
        assert not failed
    elif probe is Probe.STARTUP:
        assert failed == (not started)
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
