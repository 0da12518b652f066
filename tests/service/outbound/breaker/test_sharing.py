"""Sharing by declaration: ``breaker.share``, and a new one while calls go on."""

import stat
from pathlib import Path
from typing import Any

import pytest

from mainstay.core.breakers import Told
from mainstay.core.errors import CircuitOpen, ConfigInvalid
from mainstay.core.sockets import SHORT_ROOT
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.breaker.shared import EVERY_S, SharedBreakerState
from mainstay.service.outbound.breaker.sharing import host_file
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Breaker, Dependency, Retry
from mainstay.testing import VirtualClock

URL = "valkey://127.0.0.1:1"


class Memory:
    """One circuit. Implements ``SharedBreakerState``."""

    def __init__(self) -> None:
        self.told: Told | None = None

    def read(self) -> Told | None:
        return self.told

    def write(self, open_until_s: float | None) -> Told:
        serial = 1 if self.told is None else self.told.serial + 1
        self.told = Told(serial=serial, open_until_s=open_until_s)
        return self.told


class MemoryBreakers:
    """Implements ``Stores``, and ``BreakerStore`` for each URL."""

    def __init__(self) -> None:
        self.circuits: dict[str, Memory] = {}

    def limits(self, url: str) -> Any:
        raise AssertionError(url)

    def records(self, url: str) -> Any:
        raise AssertionError(url)

    def sessions(self, url: str) -> Any:
        raise AssertionError(url)

    def breakers(self, url: str) -> "MemoryBreakers":
        assert url == URL
        return self

    def of(self, name: str) -> SharedBreakerState:
        return self.circuits.setdefault(name, Memory())

    def close(self) -> None:
        self.circuits.clear()


def declared(share: str | None, **breaker: Any) -> Declaration:
    options = Breaker(failures=1, open_s=10.0, successes=1, share=share, **breaker)
    return Declaration(
        service="shop",
        app="shop:app",
        dependencies=(
            ("cache", Dependency(url=URL)),
            ("payments", Dependency(url="http://p", retry=Retry(attempts=1), breaker=options)),
        ),
    )


class Replicas:
    """Two services of one declaration, as two processes of a host have them."""

    def __init__(self, run: Path, share: str | None = None) -> None:
        self.clock = VirtualClock()
        self.stores = MemoryBreakers()
        environ = {"MAINSTAY_RUN_DIR": str(run)}
        self.services = [
            Service(declared(share), clock=self.clock, environ=environ, stores=self.stores)
            for _ in range(2)
        ]
        self.one, self.other = (one.dependency("payments") for one in self.services)

    def take(self, share: str | None) -> None:
        for one in self.services:
            one.take_dependencies(declared(share))

    def open_one(self) -> None:
        with pytest.raises(ConnectionError):
            self.one.call(fail)
        self.clock.advance(EVERY_S)

    def close_one(self) -> None:
        self.one.breaker.reset()
        self.clock.advance(EVERY_S)

    def other_is_open(self) -> bool:
        try:
            self.other.call(int)
        except CircuitOpen:
            return True
        return False


def fail() -> None:
    raise ConnectionError


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.mark.parametrize("share", ["host", "cache"])
def test_what_one_process_finds_out_the_others_need_not(run: Path, share: str) -> None:
    replicas = Replicas(run, share)
    replicas.open_one()
    assert replicas.other_is_open()
    replicas.clock.advance(10)
    replicas.one.call(int)
    replicas.clock.advance(EVERY_S)
    assert not replicas.other_is_open()
    assert set(replicas.stores.circuits) == ({"shop.payments"} if share == "cache" else set())
    assert run.exists() == (share == "host")


def test_without_it_each_process_finds_out_for_itself(run: Path) -> None:
    replicas = Replicas(run)
    replicas.open_one()
    assert not replicas.other_is_open()
    assert (run.exists(), replicas.stores.circuits) == (False, {})


def test_a_guard_and_a_call_made_once_share_what_the_policy_shares(run: Path) -> None:
    replicas = Replicas(run)

    @replicas.other.guard(value="instead")
    def guarded() -> str:
        return "answer"

    once = replicas.other.once
    replicas.take("host")
    replicas.open_one()
    assert guarded() == "instead"
    with pytest.raises(CircuitOpen):
        once.call(int)


def test_sharing_begins_and_ends_with_a_new_declaration(run: Path) -> None:
    replicas = Replicas(run)
    for share in ("host", "cache", None, "cache", "host"):
        replicas.take(share)
        replicas.open_one()
        assert replicas.other_is_open() == (share is not None)
        # An operator's hand closes both, wherever they are told of.
        replicas.close_one()
        replicas.other.breaker.reset()
        replicas.clock.advance(EVERY_S)
        assert not replicas.other_is_open()


def test_a_circuit_that_is_open_when_sharing_begins_is_told(run: Path) -> None:
    replicas = Replicas(run, "host")
    replicas.close_one()
    replicas.take(None)
    replicas.open_one()
    replicas.take("host")
    assert replicas.other_is_open()
    # What was told before it was alone is no news to it.
    assert replicas.one.breaker.state is State.OPEN


def test_other_options_leave_sharing_as_it_is(run: Path) -> None:
    replicas = Replicas(run, "host")
    share = replicas.other.plan.share
    replicas.services[1].take_dependencies(declared("host", probes=3))
    assert replicas.other.plan.share is share
    replicas.services[1].take_dependencies(
        Declaration(
            service="shop",
            app="shop:app",
            dependencies=(("payments", Dependency(url="http://p", breaker=None)),),
        )
    )
    assert replicas.other.plan.share is None
    replicas.services[1].take_dependencies(declared("host"))
    replicas.open_one()
    assert replicas.other_is_open()


def test_a_store_that_nobody_makes_is_refused_and_nothing_has_changed(run: Path) -> None:
    service = Service(declared("host"), clock=VirtualClock(), environ={})
    payments = service.dependency("payments")
    plan = payments.plan
    with pytest.raises(ConfigInvalid, match="made without stores"):
        payments.take(declared("cache"))
    assert payments.plan is plan
    assert payments.declared.breaker is not None
    assert payments.declared.breaker.share == "host"


def test_a_folder_that_can_not_be_used_leaves_each_process_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    replicas = Replicas(tmp_path / "file", "host")
    replicas.open_one()
    assert not replicas.other_is_open()
    with pytest.raises(CircuitOpen):
        replicas.one.call(int)


def test_the_file_is_where_somebody_said(run: Path) -> None:
    Replicas(run, "host").open_one()
    [file] = run.iterdir()
    assert file == host_file("shop.payments", {"MAINSTAY_RUN_DIR": str(run)})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.stat().st_mode) == 0o700


def test_processes_of_one_declaration_have_one_file_and_copies_have_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a process was told where its declaration is."""
    monkeypatch.chdir(tmp_path)
    here = host_file("shop.payments", {})
    assert here.parent.parent == SHORT_ROOT
    for said in (tmp_path, tmp_path / "mainstay.yaml", "mainstay.yaml", "."):
        assert host_file("shop.payments", {"MAINSTAY_DECLARATION": str(said)}) == here
    copy = host_file("shop.payments", {"MAINSTAY_DECLARATION": str(tmp_path / "copy")})
    assert copy != here
    assert copy.parent == here.parent
    assert host_file("shop.catalog", {}) != here
