"""Clients as a policy makes them, without a server: what is said holds, else what is declared."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

from mainstay import Bulkhead, Policy
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import ConfigInvalid, PolicyMisused
from mainstay.core.events import Listeners
from mainstay.service.address import AddressUnknown
from mainstay.service.outbound.clients import Clients
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency, Timeouts
from mainstay.spec.inbound import Inbound

REDIS = ["redis_client", "async_redis_client", "valkey_client", "async_valkey_client"]
ENGINES = ["sqlalchemy_engine", "async_sqlalchemy_engine"]
CHANNELS = ["grpc_channel", "async_grpc_channel"]

DATABASE = "postgresql://shop:hunter2@db.internal/shop"


def alone() -> Policy:
    return Policy(name="store", bulkhead=Bulkhead(limit=7))


def declared(url: str, **timeout: Any) -> DependencyPolicy:
    dependency = Dependency(url=url, timeout=Timeouts(**timeout))
    declaration = Declaration(
        service="shop",
        app="shop:app",
        dependencies=(("store", dependency),),
        inbound=Inbound(deadline_s=60.0),
    )
    return DependencyPolicy("store", declaration, {}, clock=SYSTEM_CLOCK, events=Listeners())


def bounds_of(made: Any) -> tuple[float, float]:
    """Return the two bounds of a client or an engine."""
    if hasattr(made, "gate"):
        return made.gate.bounds.connect_s, made.gate.bounds.read_s
    bounds = made.pool.gate.bounds
    return bounds.connect_s, bounds.statement_s


@pytest.mark.parametrize("method", REDIS)
def test_a_redis_client_goes_where_it_is_declared(method: str) -> None:
    policy = declared("redis://:hunter2@cache.internal:7000/3", connect_s=0.25, read_s=0.75)
    made = getattr(policy, method)()
    known = made.connection_pool.connection_kwargs
    assert (known["host"], known["port"], known["db"]) == ("cache.internal", 7000, 3)
    assert bounds_of(made) == (0.25, 0.75)


@pytest.mark.parametrize("method", REDIS)
def test_what_is_said_goes_before_what_is_declared(method: str) -> None:
    policy = declared("redis://cache.internal", connect_s=0.25, read_s=0.75)
    made = getattr(policy, method)("redis://127.0.0.1:1", read="3s", decode_responses=True)
    known = made.connection_pool.connection_kwargs
    assert (known["host"], known["port"]) == ("127.0.0.1", 1)
    assert known["decode_responses"] is True
    assert bounds_of(made) == (0.25, 3.0)


@pytest.mark.parametrize("method", REDIS)
def test_a_redis_client_alone_has_the_starter_packs_bounds(method: str) -> None:
    assert bounds_of(getattr(alone(), method)("redis://127.0.0.1:1")) == (1.0, 2.0)


@pytest.mark.parametrize("method", ENGINES)
def test_an_engine_goes_where_it_is_declared(method: str) -> None:
    engine = getattr(declared(DATABASE, connect_s=1.5, read_s=4.0), method)()
    url = engine.url
    assert (url.drivername, url.host, url.password) == (
        "postgresql+psycopg", "db.internal", "hunter2",
    )  # fmt: skip
    assert bounds_of(engine) == (1.5, 4.0)


@pytest.mark.parametrize("method", ENGINES)
def test_a_statements_own_bound_goes_before_what_is_declared(method: str) -> None:
    engine = getattr(declared(DATABASE, connect_s=1.5, read_s=4.0), method)(statement="30s")
    assert bounds_of(engine) == (1.5, 30.0)


@pytest.mark.parametrize("method", ENGINES)
def test_an_engine_alone_has_the_starter_packs_bounds(method: str) -> None:
    engine = getattr(alone(), method)("postgres://db.internal/shop")
    assert bounds_of(engine) == (3.0, 10.0)
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.pool.size() == 7


def test_a_channels_calls_have_the_declared_total(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainstay.service.outbound.adapters import grpc_clients

    seen: list[tuple[str, Any]] = []

    def channel(policy: Policy, target: str, **options: Any) -> None:
        seen.append((target, options["timeout"]))

    monkeypatch.setattr(grpc_clients, "grpc_channel", channel)
    policy = declared("grpc://payments.internal:50051", total_s=3.0)
    policy.grpc_channel()
    policy.grpc_channel("dns:///elsewhere:1", timeout=0.5)
    assert seen == [("payments.internal:50051", 3.0), ("dns:///elsewhere:1", 0.5)]


@pytest.mark.parametrize("method", REDIS + ENGINES + CHANNELS)
def test_a_policy_alone_does_not_know_where(method: str) -> None:
    with pytest.raises(PolicyMisused, match="store: only a declared dependency"):
        getattr(alone(), method)()


@pytest.mark.parametrize(
    ("method", "scheme"),
    [
        *((method, "postgresql") for method in REDIS + CHANNELS),
        *((method, "https") for method in REDIS + ENGINES),
        *((method, "redis") for method in ENGINES + CHANNELS),
    ],
)
def test_a_dependency_of_another_kind_is_told(method: str, scheme: str) -> None:
    with pytest.raises(PolicyMisused, match=f"store is at {scheme}://, where") as caught:
        getattr(declared(f"{scheme}://shop:hunter2@somewhere:1/0"), method)()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("method", REDIS + ENGINES)
def test_without_a_bulkhead_nothing_would_bound_the_connections(method: str) -> None:
    with pytest.raises(PolicyMisused, match="bulkhead"):
        getattr(Policy(name="store"), method)("redis://x" if method in REDIS else "sqlite://")


@pytest.mark.parametrize("method", REDIS + ENGINES)
def test_a_wrong_timeout_is_told(method: str) -> None:
    url = "redis://x" if method in REDIS else DATABASE
    with pytest.raises(ConfigInvalid, match="connect="):
        getattr(alone(), method)(url, connect="soon")


def test_no_secret_is_told_with_a_place_that_is_none() -> None:
    policy = declared("grpc://shop:hunter2@")
    with pytest.raises(AddressUnknown) as caught:
        policy.grpc_channel()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "twins",
    [
        ("redis_client", "async_redis_client"),
        ("redis_client", "valkey_client"),
        ("redis_client", "async_valkey_client"),
        ("sqlalchemy_engine", "async_sqlalchemy_engine"),
        ("grpc_channel", "async_grpc_channel"),
    ],
)
def test_twins_take_the_same(twins: tuple[str, str]) -> None:
    def takes(name: str) -> list[tuple[str, object]]:
        known = inspect.signature(getattr(Clients, name)).parameters.values()
        return [(one.name, one.default) for one in known]

    assert takes(twins[0]) == takes(twins[1])


TRY = """
import sys
sys.modules[{absent!r}] = None
from mainstay.core.errors import PartMissing
from mainstay import Bulkhead, Policy
try:
    Policy(bulkhead=Bulkhead()).{call}
except PartMissing as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("absent", "call", "install"),
    [
        ("redis", "redis_client('redis://127.0.0.1')", "'mainstay[redis]'"),
        ("valkey", "async_valkey_client('redis://127.0.0.1')", "valkey"),
        ("sqlalchemy", "sqlalchemy_engine('sqlite://')", "'mainstay[postgres]'"),
        ("greenlet", "async_sqlalchemy_engine('postgresql://x/y')", "'mainstay[postgres]'"),
        ("psycopg", "sqlalchemy_engine('postgresql://x/y')", "'mainstay[postgres]'"),
        ("grpc", "grpc_channel('127.0.0.1:1')", "'mainstay[grpc]'"),
        ("httpx", "http_client()", "'mainstay[http]'"),
        ("requests", "requests_session()", "requests"),
        ("aiohttp", "aiohttp_middleware()", "aiohttp"),
    ],
)
def test_a_missing_library_is_told_with_what_brings_it(
    absent: str, call: str, install: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(absent=absent, call=call)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == f"{absent} is not installed: pip install {install}"
