"""The example of docs/guides/admission.md runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.service.inbound.admission.made import CRITICAL, LOW, MEDIUM, exchange

from mainstay.service.inbound.admission import LimitChanged, OverloadBegan, OverloadEnded
from mainstay.service.service import Service

GUIDE = (Path(__file__).parents[4] / "docs" / "guides" / "admission.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    (tmp_path / "mainstay.yaml").write_text(block("yaml"), "utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block("python"), "admission.md", "exec"), names)  # noqa: S102  Our own document.
    made = names["service"]
    assert isinstance(made, Service)
    return made


@pytest.mark.parametrize(
    ("path", "priority"),
    [
        ("/checkout", CRITICAL),
        ("/orders/17/pay", CRITICAL),
        ("/orders/17", MEDIUM),
        ("/reports/2025", LOW),
    ],
)
def test_the_declared_paths_have_their_priorities(
    service: Service, path: str, priority: int
) -> None:
    admission = service._inbound.admission
    assert admission is not None
    assert admission.priority_of(exchange(0.0, path=path)) == priority


def test_the_listener_tells(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    service.events.emit(OverloadBegan(at_s=0.0, limit=14, waiting=9))
    service.events.emit(
        LimitChanged(
            at_s=0.0, limit=50, before=100, reason="latency", latency_s=0.5, baseline_s=0.1
        )
    )
    service.events.emit(OverloadEnded(at_s=0.0, duration_s=61.2, refused=108))
    assert capsys.readouterr().out == (
        "overload: 14 at once, 9 wait\nlimit 100 -> 50: latency\nover after 61 s, 108 turned away\n"
    )
