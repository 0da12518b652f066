"""Fakes that the tests of this room share: a clock that is moved by hand, and a service on it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mainstay.service.inbound.telling import Telling
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.telemetry.logs import AccessLine, Logs
from mainstay.telemetry.logs.outlet import Outlet
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.route import route_of


@dataclass
class FakeClock:
    """A clock that moves by ``step_s`` with each look, and else by hand."""

    now_s: float = 1000.0
    step_s: float = 0.0

    def monotonic_s(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    def wall_s(self) -> float:
        return 1_800_000_000.0 + self.now_s


@dataclass
class Lines:
    """Where a service's access lines end up."""

    raw: list[bytes] = field(default_factory=list)

    def write(self, line: bytes) -> int:
        self.raw.append(line)
        return len(line)

    @property
    def parsed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def make_service(clock: FakeClock, lines: Lines) -> Callable[..., Service]:
    """Return what makes a service; keywords go into its declaration."""

    def make(*, inbound: Inbound | None = None, **declared: Any) -> Service:
        declaration = Declaration(
            service="shop", app="shop:app", inbound=inbound or Inbound(), **declared
        )
        outlet = Outlet(lines.write, -1, whole=True, close=lambda: None)
        logs = Logs(service="shop", replica="shop-1", writer=Writer(outlet), clock=clock)
        return Service(
            declaration,
            clock=clock,
            environ={"MAINSTAY_REPLICA": "shop-1"},
            telling=Telling(
                observer=AccessLine(logs, route_of) if declaration.inbound.access_log else None
            ),
        )

    return make
