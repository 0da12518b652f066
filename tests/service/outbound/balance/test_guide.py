"""The examples of docs/guides/balancing.md run as they stand."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.contract.outbound_http.server import Server, answer

from mainstay import Policy, Retry
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.events import Listeners
from mainstay.service.outbound.balance import Balancer, Ejection, Pace, Way
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.spec.declaration import Declaration
from mainstay.spec.load import load_service
from mainstay.testing import VirtualClock

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "balancing.md"


@pytest.fixture
def guide() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    for code in re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL):
        exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102  Our own document.
    return names


def test_a_retry_of_the_example_tries_three_different_endpoints(guide: dict[str, Any]) -> None:
    guide["policy"] = Policy(name="catalog", retry=Retry(attempts=3), clock=VirtualClock())
    guide["catalog"].replace(["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"])
    tried: list[str] = []

    def send(url: str) -> bytes:
        tried.append(url)
        if len(tried) < 3:
            raise ConnectionRefusedError
        return b"[]"

    assert guide["products"](send) == b"[]"
    assert len(set(tried)) == 3
    assert tried[0].startswith("http://10.0.0.")
    assert sum(state.streak for state in guide["catalog"].endpoints()) == 2


def test_the_name_of_the_example_is_looked_up(guide: dict[str, Any]) -> None:
    assert isinstance(guide["catalog"], Balancer)
    assert set(guide["known"]) & {"127.0.0.1:8080", "[::1]:8080"}


def test_the_declared_example_is_valid(guide: dict[str, Any], tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "mainstay.yaml"
    path.write_text(text, "utf-8")
    declaration = load_service(path, env=None, environ={}).system.members[0].declaration
    with Server() as server, Server() as gone:
        server.on("/products", answer(200))
        gone.die()
        # The endpoints of the example are nobody's here.
        places = tuple(one.url.removeprefix("http://") for one in (gone, server))
        dependencies = dict(declaration.dependencies)
        catalog = dependencies["catalog"]
        assert catalog.balance is not None
        balance = replace(catalog.balance, endpoints=places)
        dependencies["catalog"] = replace(catalog, balance=balance)
        declaration = replace(declaration, dependencies=tuple(dependencies.items()))
        service = Known(declaration)
        for _ in range(20):
            assert guide["products_now"](service) == 200
        assert guide["away"](service) == [places[0]]


class Known:
    """As much of a service as the example asks for."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._made: dict[str, DependencyPolicy] = {}

    def dependency(self, name: str) -> DependencyPolicy:
        if name not in self._made:
            self._made[name] = DependencyPolicy(
                name, self._declaration, {}, clock=SYSTEM_CLOCK, events=Listeners()
            )
        return self._made[name]


def test_every_way_is_told() -> None:
    text = GUIDE.read_text("utf-8")
    for way in get_args(Way):
        assert f"| `{way}`" in text


def test_the_defaults_are_those_that_the_guide_gives_reasons_for() -> None:
    assert Ejection() == Ejection(
        failures=5, share=0.5, calls_min=20, window_s=30, time_s=10, time_max_s=300,
        share_max=0.5, slow_start_s=0,
    )  # fmt: skip
    assert Pace() == Pace(ttl_s=30, retry_s=1, spread=0.1)
