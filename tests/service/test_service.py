from pathlib import Path
from random import Random

import pytest

import mainstay
from mainstay.core.errors import ConfigInvalid
from mainstay.service.declared import own_declaration
from mainstay.service.inbound.stopping.drain import DrainBegan
from mainstay.service.service import Service, _forking_rng
from mainstay.spec.declaration import Declaration, Member, System


def system(*names: str) -> System:
    members = tuple(
        Member(declaration=Declaration(service=name, app="a:b"), folder=Path("/")) for name in names
    )
    return System(name="shop", root=Path("/"), members=members)


def test_a_lone_service_is_its_own() -> None:
    assert own_declaration(system("a"), None).service == "a"
    assert own_declaration(system("a"), "").service == "a"


def test_a_system_is_asked_for_the_one_that_was_named() -> None:
    assert own_declaration(system("a", "b"), "b").service == "b"


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        (None, r"several services \(a, b\): set MAINSTAY_SERVICE"),
        ("c", "MAINSTAY_SERVICE says 'c', but shop has: a, b"),
    ],
)
def test_nobody_said_which(service: str | None, sentence: str) -> None:
    with pytest.raises(ConfigInvalid, match=sentence):
        own_declaration(system("a", "b"), service)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("MAINSTAY_DECLARATION", "MAINSTAY_SERVICE", "MAINSTAY_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mainstay.yaml").write_text("system: [front, stock]\n", "utf-8")
    for name, more in (("front", "dependencies: {stock: {service: stock, timeout: 1s}}\n"),
                       ("stock", "")):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "mainstay.yaml").write_text(
            f"service: {name}\napp: a:b\n{more}", "utf-8"
        )
    return tmp_path


def test_load_finds_the_declaration_where_it_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument goes before the variable, and that before the working folder."""
    assert Service.load("front").name == "front"
    assert Service.load(folder / "stock" / "mainstay.yaml").name == "stock"
    monkeypatch.setenv("MAINSTAY_DECLARATION", "stock")
    assert Service.load().name == "stock"
    monkeypatch.delenv("MAINSTAY_DECLARATION")
    monkeypatch.setenv("MAINSTAY_SERVICE", "front")
    assert Service.load().name == "front"
    monkeypatch.setenv("MAINSTAY_SERVICE", "stock")
    assert Service.load().name == "stock"


def test_load_tells_every_fault(folder: Path) -> None:
    (folder / "front" / "mainstay.yaml").write_text("service: FRONT\napp: 1\nrum: {}\n", "utf-8")
    with pytest.raises(ConfigInvalid) as caught:
        Service.load("front")
    assert len(caught.value.faults) == 3


def test_load_of_nothing_is_invalid(folder: Path) -> None:
    with pytest.raises(ConfigInvalid):
        Service.load("nowhere")


def test_drain_is_an_event_once() -> None:
    service = Service(Declaration(service="a", app="a:b"))
    heard: list[object] = []
    service.events.add(heard.append)
    service.drain()
    service.drain()
    assert [type(event) for event in heard] == [DrainBegan]


def test_the_package_shows_what_it_names() -> None:
    assert issubclass(mainstay.Service, Service)
    assert set(mainstay.__all__) <= set(dir(mainstay))
    with pytest.raises(AttributeError, match="no attribute 'Servic'"):
        _ = mainstay.Servic


def test_ids_come_from_a_seeded_generator() -> None:
    assert isinstance(_forking_rng(), Random)
    assert _forking_rng().random() != _forking_rng().random()
