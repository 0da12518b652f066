from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mainstay.core.errors import MainstayError
from mainstay.service.inbound.admission.stats import AdmissionStats
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.document import Finding, Outcome, Status
from mainstay.service.service import Service
from mainstay.spec.balance import CallBalance
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.telemetry.metrics.counting.readings import (
    read_admission,
    read_checks,
    read_lines,
    read_policies,
    read_process,
    read_target,
)
from mainstay.telemetry.metrics.registry import Registry, Source
from mainstay.testing import VirtualClock


def told(source: Source, registry: Registry | None = None) -> dict[tuple[str, ...], float]:
    """Return name and labels to value."""
    registry = registry or Registry()
    registry.read(source)
    return {
        (family.name, *labels): values[0]
        for family, series in registry.snapshot().items()
        for labels, values in series.items()
    }


@pytest.fixture
def make_service() -> Callable[..., Service]:
    def make(**dependency: Any) -> Service:
        declared = Declaration(
            service="web", app="web:app", dependencies=(("payments", Dependency(**dependency)),)
        )
        return Service(declared, environ={"MAINSTAY_URL_PAYMENTS": "http://127.0.0.1:9"})

    return make


def test_a_policy_tells_how_it_stands(make_service: Callable[..., Service]) -> None:
    service = make_service(service="payments")
    policy = service.dependency("payments")
    found = told(read_policies(Registry(), lambda: [policy]))
    assert found["mainstay_circuit_state", "payments", "closed"] == 1
    assert found["mainstay_circuit_state", "payments", "open"] == 0
    assert found["mainstay_circuit_mode", "payments", "enforce"] == 1
    assert found["mainstay_bulkhead_in_flight", "payments"] == 0
    assert found["mainstay_budget_left", "payments"] > 0

    def fail() -> None:
        raise MainstayError("no")

    for _ in range(20):
        with pytest.raises(MainstayError):
            policy.call(fail)
        if policy.stats().state == "open":
            break
    found = told(read_policies(Registry(), lambda: [policy]))
    assert found["mainstay_circuit_state", "payments", "open"] == 1
    assert found["mainstay_circuit_state", "payments", "closed"] == 0


def test_a_balancer_tells_how_calls_are_shared(make_service: Callable[..., Service]) -> None:
    service = make_service(
        url="http://127.0.0.1:9", balance=CallBalance(endpoints=("127.0.0.1:1", "127.0.0.1:2"))
    )
    policy = service.dependency("payments")
    balancer = policy.balancer
    assert balancer is not None
    registry = Registry()
    source = read_policies(registry, lambda: [policy])
    leases = [balancer.pick() for _ in range(10)]
    for lease in leases[:4]:
        lease.succeeded()
    found = told(source, registry)

    def of(name: str) -> list[float]:
        return [found[name, "payments", f"127.0.0.1:{port}"] for port in (1, 2)]

    assert sum(of("mainstay_endpoint_calls")) == 10
    assert sum(of("mainstay_endpoint_in_flight")) == 6
    assert of("mainstay_endpoint_ejected") == [0, 0]
    found = told(tuple, registry)
    assert sum(of("mainstay_endpoint_calls")) == 10, "nothing is counted twice"


def test_a_dependency_that_nobody_said_where_it_is_tells_what_it_can() -> None:
    declared = Declaration(
        service="web",
        app="web:app",
        dependencies=(("payments", Dependency(service="payments", balance=CallBalance())),),
    )
    policy = Service(declared, environ={}).dependency("payments")
    found = told(read_policies(Registry(), lambda: [policy]))
    assert found["mainstay_circuit_state", "payments", "closed"] == 1


class Admission:
    """Admission that stands as it is told to."""

    refused = (0, 0, 2, 5)

    def stats(self) -> AdmissionStats:
        return AdmissionStats(
            limit=40, in_flight=31, waiting=7, refused=self.refused, overloaded=True,
            probing=False, latency_s=0.25, baseline_s=0.05, cpu=0.9, lag_s=0.01,
        )  # fmt: skip


def test_admission_tells_how_it_stands() -> None:
    admission, registry = Admission(), Registry()
    source = read_admission(registry, admission)
    found = told(source, registry)
    assert found["mainstay_admission_limit",] == 40
    assert found["mainstay_admission_in_flight",] == 31
    assert found["mainstay_admission_waiting",] == 7
    assert found["mainstay_overloaded",] == 1
    assert found["mainstay_admission_latency_seconds",] == 0.25
    assert found["mainstay_admission_baseline_seconds",] == 0.05
    assert found["mainstay_admission_loop_lag_seconds",] == 0.01
    assert found["mainstay_admission_refused", "3"] == 5
    assert found["mainstay_admission_refused", "2"] == 2
    admission.refused = (0, 0, 2, 9)
    assert told(tuple, registry)["mainstay_admission_refused", "3"] == 9


class Checks:
    def known(self) -> dict[str, Outcome]:
        def outcome(*, failing: bool, critical: bool, took_s: float | None) -> Outcome:
            return Outcome(
                finding=Finding(status=Status.PASS), critical=critical, failing=failing,
                component_type="component", at_s=0.0, took_s=took_s,
            )  # fmt: skip

        return {
            "db": outcome(failing=False, critical=True, took_s=0.002),
            "mail": outcome(failing=True, critical=False, took_s=None),
        }


def test_checks_tell_what_they_last_found() -> None:
    found = told(read_checks(Checks()))
    assert found["mainstay_check_failing", "db", "true"] == 0
    assert found["mainstay_check_failing", "mail", "false"] == 1
    assert found["mainstay_check_duration_seconds", "db"] == 0.002
    assert ("mainstay_check_duration_seconds", "mail") not in found


def test_a_board_tells_what_it_knows_and_runs_nothing_for_it() -> None:
    ran: list[str] = []
    board = Board(clock=VirtualClock(), cache_s=1000.0)
    for name in ("db", "mail"):
        board.add(Check(name=name, run=partial(ran.append, name), critical=True, timeout_s=30.0))
    assert told(read_checks(board)).keys() & {("mainstay_check_failing", "db", "true")} == set()
    board.ask(lambda check: check.name == "db")
    found = told(read_checks(board))
    assert found["mainstay_check_failing", "db", "true"] == 0
    assert ("mainstay_check_failing", "mail", "true") not in found
    assert ran == ["db"]


def test_lines_that_were_lost_are_counted() -> None:
    missing, registry = iter([{"lost": 3, "burst": 0}, {"lost": 5, "burst": 7}]), Registry()
    source = read_lines(registry, lambda: next(missing))
    first, second = told(source, registry), told(tuple, registry)
    assert first["mainstay_telemetry_dropped", "lines", "lost"] == 3
    assert ("mainstay_telemetry_dropped", "lines", "burst") not in first
    assert second["mainstay_telemetry_dropped", "lines", "lost"] == 5
    assert second["mainstay_telemetry_dropped", "lines", "burst"] == 7


def test_a_process_tells_what_it_uses(tmp_path: Path) -> None:
    (tmp_path / "statm").write_text("900 100 0 0 0 0 0\n", "ascii")
    for number in range(3):
        (tmp_path / "fd" / str(number)).parent.mkdir(exist_ok=True)
        (tmp_path / "fd" / str(number)).touch()
    clock = VirtualClock()
    found = told(read_process(clock, tmp_path))
    assert found["process_resident_memory_bytes",] % 100 == 0
    assert found["process_resident_memory_bytes",] >= 100 * 4096
    assert found["process_open_fds",] == 3
    assert found["process_start_time_seconds",] == pytest.approx(clock.wall_s(), abs=1)
    assert found["process_cpu_seconds",] > 0


@pytest.mark.parametrize("statm", ["", "1", "x y", None])
def test_where_the_kernel_tells_nothing_the_rest_is_told(tmp_path: Path, statm: str | None) -> None:
    if statm is not None:
        (tmp_path / "statm").write_text(statm, "ascii")
    found = told(read_process(VirtualClock(), tmp_path))
    assert ("process_cpu_seconds",) in found
    assert ("process_resident_memory_bytes",) not in found


def test_a_service_tells_which_it_is() -> None:
    labels: Iterable[tuple[str, ...]] = told(read_target("web", "1.2", None, "production"))
    assert ("target", "web", "1.2", "", "production") in labels
