"""A new declaration is taken while the service runs: whole, or not at all."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.service.inbound.polling import until
from tests.service.outbound.test_guide import run_guide

from mainstay import Breaker, Policy, Service
from mainstay.core.errors import ConfigInvalid, PartMissing
from mainstay.service.outbound.breaker.circuit import Mode
from mainstay.service.outbound.plan import Plan
from mainstay.spec.declaration import Declaration

PARTS = """
      timeout: {attempt: auto, total: 2s}
      retry: {attempts: 3, budget: 20%}
      rate_limit: {rate: 1/s, burst: 3}
      bulkhead: 4
      breaker: {failures: 5}
      fallback: {last_good: 5}
"""


def write(path: Path, *, failures: int = 5, catalog: str = "url: http://127.0.0.1:9") -> Path:
    path.write_text(
        "service: shop\n"
        "command: [sleep]\n"
        "dependencies:\n"
        "    payments:\n"
        "      url: http://127.0.0.1:9" + PARTS.replace("failures: 5", f"failures: {failures}")
        + f"    catalog:\n      timeout: 2s\n      {catalog}\n"
    )  # fmt: skip
    return path


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = write(tmp_path / "mainstay.yaml")
    monkeypatch.setenv("MAINSTAY_DECLARATION", str(path))
    return path


@contextmanager
def hangups(service: Service) -> Iterator[None]:
    """Have a service reload as the guide shows it."""
    before = signal.getsignal(signal.SIGHUP)
    try:
        run_guide()["reload_on_hangup"](service)
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_file_that_changed_is_taken_by_a_signal(declared: Path) -> None:
    """As the guide shows it."""
    service = Service.load()
    payments = service.dependency("payments")
    with hangups(service):
        write(declared, failures=7)
        signal.raise_signal(signal.SIGHUP)
        until(lambda: payments.plan.parts.breaker == Breaker(failures=7, lease=2.0))
    assert service.dependency("payments") is payments


@pytest.mark.parametrize("error", [ConfigInvalid(("a fault",)), PartMissing("no hiredis")])
def test_one_that_cannot_be_taken_does_not_end_the_listening(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the example in the guide."""
    service = Service(Declaration(service="shop", command=("sleep",)), environ={})

    def reload() -> None:
        raise error

    monkeypatch.setattr(service, "reload", reload)
    with hangups(service):
        for _ in range(2):
            signal.raise_signal(signal.SIGHUP)
            until(lambda: "the last good declaration stays" in capsys.readouterr().err)


def test_a_change_is_read_from_where_the_first_was(
    declared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever the process stands by then, and whatever the environment says."""
    path = write(tmp_path / "other.yaml", failures=3)
    monkeypatch.chdir(tmp_path)
    service = Service.load("other.yaml")
    monkeypatch.chdir("/")
    write(path, failures=4)
    service.reload()
    breaker = service.dependency("payments").plan.parts.breaker
    assert breaker is not None
    assert breaker.failures == 4


WRONG: dict[str, Callable[[Path], object]] = {
    "a wrong value": lambda path: write(path, failures=-1),
    "no YAML": lambda path: path.write_text("service: ["),
    "another's": lambda path: path.write_text("service: other\ncommand: [sleep]\n"),
    "one of two has no store": lambda path: write(
        path, failures=7, catalog="url: http://127.0.0.1:9\n      breaker: {share: payments}"
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_change_is_refused_whole(what: str, declared: Path) -> None:
    service = Service.load()
    plans = [service.dependency(name).plan for name in ("payments", "catalog")]
    declaration = service.declaration
    WRONG[what](declared)
    with pytest.raises(ConfigInvalid):
        service.reload()
    assert [service.dependency(name).plan for name in ("payments", "catalog")] == plans
    assert service.declaration is declaration


def machines(plan: Plan) -> list[object]:
    found: list[object] = [
        plan.circuit, plan.slots, plan.limiter, plan.budget, plan.last_good, plan.latency,
    ]  # fmt: skip
    assert None not in found
    return found


def test_a_change_keeps_every_state_machine(declared: Path) -> None:
    """Counts, slots, turns, the budget, good answers and what is known of latency stay."""
    service = Service.load()
    payments = service.dependency("payments")
    before = machines(payments.plan)
    write(declared, failures=9)
    service.reload()
    assert payments.plan.parts.breaker is not None
    assert payments.plan.parts.breaker.failures == 9
    assert all(one is other for one, other in zip(before, machines(payments.plan), strict=True))


def test_a_change_leaves_faults_and_modes_as_they_are(declared: Path) -> None:
    service = Service.load()
    payments: Policy = service.dependency("payments")
    payments.breaker.force_open()
    with payments.fault(error_rate=1.0):
        fault = payments.plan.fault
        write(declared, failures=9)
        service.reload()
        assert payments.plan.fault is fault is not None
    assert payments.plan.circuit is not None
    assert payments.plan.circuit.mode is Mode.FORCED_OPEN


def failures(service: Service) -> list[int]:
    found = []
    for name in ("payments", "catalog"):
        breaker = service.dependency(name).plan.parts.breaker
        assert breaker is not None
        found.append(breaker.failures)
    return found


def with_failures(path: Path, number: int) -> Path:
    return write(path, failures=number, catalog=f"url: http://127.0.0.1:9\n      breaker: {number}")


class SomethingBroke(BaseException):
    """As a signal's handler may raise it anywhere."""


def test_what_breaks_in_the_midst_of_a_change_takes_all_of_it_back(declared: Path) -> None:
    """Nothing that can be foreseen does; but the first of two must not go on alone."""
    service = Service.load(with_failures(declared, 5))
    assert failures(service) == [5, 5]
    declaration = service.declaration

    def breaks(plan: Plan) -> Plan:
        if plan.parts.breaker is not None and plan.parts.breaker.failures == 7:
            raise SomethingBroke
        return plan

    follower = service.dependency("catalog").derived(breaks)
    with pytest.raises(SomethingBroke):
        service.reload(with_failures(declared, 7))
    assert failures(service) == [5, 5]
    assert service.declaration is declaration
    assert service.dependency("catalog").declared is dict(declaration.dependencies)["catalog"]
    service.reload(with_failures(declared, 6))
    assert failures(service) == [6, 6]
    assert follower.plan.parts.breaker == service.dependency("catalog").plan.parts.breaker


def test_of_changes_at_the_same_time_one_is_taken_by_all(declared: Path, tmp_path: Path) -> None:
    service = Service.load(with_failures(declared, 5))
    assert failures(service) == [5, 5]
    paths = [with_failures(tmp_path / f"{number}.yaml", number) for number in range(6, 10)]
    started = threading.Barrier(len(paths))

    def change(path: Path) -> None:
        started.wait(60)
        for _ in range(10):
            service.reload(path)

    threads = [threading.Thread(target=change, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = failures(service)
    assert one == other
    assert service.declaration == Service.load(tmp_path / f"{one}.yaml").declaration
