"""A plan says everything that is wrong with it."""

from dataclasses import replace

import pytest

from mainstay.control.load import LoadPlan, PlanInvalid, target
from mainstay.control.load.plan import TARGETS_MAX

MANY = tuple(target("http://h/", name=str(n)) for n in range(TARGETS_MAX + 1))
PLAN = LoadPlan(targets=(target("http://127.0.0.1/"),), rate_per_s=10.0, duration_s=5.0)


def test_a_good_plan_passes() -> None:
    PLAN.check()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"rate_per_s": 0.0}, "rate"),
        ({"rate_per_s": float("nan")}, "rate"),
        ({"rate_per_s": 1e9}, "rate"),
        ({"duration_s": 0.0}, "duration"),
        ({"duration_s": 1e6}, "duration"),
        ({"requests": 0}, "number of requests"),
        ({"duration_s": None}, "needed"),
        ({"duration_s": None, "requests": 10_000_000}, "longer"),
        ({"warmup_s": -1.0}, "warm-up"),
        ({"timeout_s": 61.0}, "timeout"),
        ({"connect_timeout_s": 0.0}, "connect timeout"),
        ({"max_in_flight": 0}, "in flight"),
        ({"targets": ()}, "targets"),
        ({"targets": PLAN.targets * 2}, "called"),
        ({"targets": MANY}, "targets"),
        ({"targets": (target("http://h/", method="a b"),)}, "method"),
    ],
)  # fmt: skip
def test_a_bad_plan_is_refused(change: dict[str, object], word: str) -> None:
    with pytest.raises(PlanInvalid, match=word):
        replace(PLAN, **change).check()  # type: ignore[arg-type]  # Of many types.


def test_all_faults_come_at_once() -> None:
    with pytest.raises(PlanInvalid) as refused:
        replace(PLAN, rate_per_s=-1.0, timeout_s=0.0, max_in_flight=0).check()
    assert len(refused.value.faults) == 3


@pytest.mark.parametrize(
    ("duration_s", "step_s"), [(1.0, 1.0), (600.0, 1.0), (601.0, 2.0), (86_400.0, 144.0)]
)
def test_the_timeline_is_bounded(duration_s: float, step_s: float) -> None:
    assert replace(PLAN, duration_s=duration_s).step_s == step_s
