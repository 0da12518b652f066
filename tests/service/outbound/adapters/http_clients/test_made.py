"""Clients as a policy makes them, without a server."""

import subprocess
import sys
from typing import Any

import httpx
import pytest
import requests

from mainstay import Bulkhead, Fallback, Policy, Retry, Service
from mainstay.core.errors import MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.http_clients import Http
from mainstay.service.outbound.adapters.http_clients.requests import PolicyAdapter
from mainstay.service.outbound.plan import Parts
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency, Timeouts

QUICKLY = Retry(attempts=3, backoff=(0.0, 0.0), jitter="none")


def policy(**parts: Any) -> Policy:
    return Policy(name="catalog", bulkhead=Bulkhead(), **parts)


def answering(*answers: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[str]]:
    left, seen = list(answers), []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        one = left.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    return httpx.MockTransport(handle), seen


def test_another_transport_takes_the_place_of_the_pool() -> None:
    transport, seen = answering(httpx.Response(503), httpx.Response(200, text="second"))
    http = Http(base_url="http://catalog/v1")
    with policy(retry=QUICKLY).sync_http_client(http, transport=transport) as client:
        assert client.get("/a", params={"b": 1}).text == "second"
    assert seen == ["http://catalog/v1/a?b=1"] * 2


def test_it_does_not_know_of_stale_connections() -> None:
    """Whoever knows no connections can't tell that one was idle: that is a failure."""
    transport, seen = answering(httpx.ReadError("reset"), httpx.Response(200))
    with policy().sync_http_client(transport=transport) as client, pytest.raises(httpx.ReadError):
        client.get("http://catalog/")
    assert len(seen) == 1


async def test_what_the_request_says_about_time_holds() -> None:
    waits: list[dict[str, float | None]] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200)

    http = Http(base_url="http://catalog", connect="1s", read="2s", write="3s")
    async with policy().http_client(http, transport=httpx.MockTransport(handle)) as client:
        await client.get("/")
        await client.get("/", timeout=0.5)
    assert waits[0] == {"connect": 1.0, "read": 2.0, "write": 3.0, "pool": None}
    assert waits[1] == {"connect": 0.5, "read": 0.5, "write": 0.5, "pool": 0.5}


def test_a_thread_has_a_bound_where_the_request_has_none() -> None:
    waits: list[dict[str, float | None]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        waits.append(request.extensions["timeout"])
        return httpx.Response(200)

    http = Http(base_url="http://catalog", connect="1s", read="2s", write="3s")
    with policy().sync_http_client(http, transport=httpx.MockTransport(handle)) as client:
        client.get("/", timeout=None)
    assert waits == [{"connect": 1.0, "read": 2.0, "write": 3.0, "pool": 1.0}]


def test_a_fallback_gets_the_request_and_makes_the_answer() -> None:
    transport, _ = answering(httpx.Response(500))
    stand_in = Fallback(function=lambda request: httpx.Response(200, text=request.url.path))
    with policy(fallback=stand_in).sync_http_client(transport=transport) as client:
        assert client.get("http://catalog/a").text == "/a"


def test_a_request_can_be_sent_again_by_hand() -> None:
    """What an attempt adds is not left in the caller's request."""
    transport, _ = answering(httpx.Response(200), httpx.Response(200))
    with policy().sync_http_client(transport=transport) as client:
        request = client.build_request("GET", "http://catalog/")
        before = dict(request.headers)
        client.send(request)
        client.send(request)
    assert dict(request.headers) == before


def test_the_adapter_fits_a_session_of_your_own() -> None:
    with requests.Session() as session:
        adapter = policy().requests_adapter()
        session.mount("https://api.example.com/", adapter)
        assert isinstance(session.get_adapter("https://api.example.com/v1"), PolicyAdapter)
        assert not isinstance(session.get_adapter("https://else.example.com/"), PolicyAdapter)


def test_a_bulkhead_that_is_taken_away_is_missed() -> None:
    one = policy()
    transport, _ = answering()
    with one.sync_http_client(transport=transport) as client:
        one.update(Parts())
        with pytest.raises(PolicyMisused, match="needs a bulkhead"):
            client.get("http://catalog/")


@pytest.mark.parametrize(
    "make",
    ["http_client", "sync_http_client", "httpx_transport", "sync_httpx_transport",
     "requests_session", "requests_adapter", "aiohttp_middleware"],
)  # fmt: skip
def test_without_a_bulkhead_there_is_none(make: str) -> None:
    with pytest.raises(PolicyMisused, match="catalog: an HTTP client needs a bulkhead"):
        getattr(Policy(name="catalog"), make)()


@pytest.mark.parametrize(
    ("library", "make"),
    [
        ("httpx", "http_client"),
        ("httpx", "sync_httpx_transport"),
        ("requests", "requests_session"),
        ("aiohttp", "aiohttp_middleware"),
    ],
)
def test_a_library_that_is_missing_is_named(library: str, make: str) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{library!r}] = None\n"
        "from mainstay import Bulkhead, Policy\n"
        "from mainstay.core.errors import PartMissing\n"
        "try:\n"
        f"    Policy(bulkhead=Bulkhead()).{make}()\n"
        "except PartMissing as error:\n"
        "    print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"{library} is not installed: pip install ")


def test_a_policy_alone_loads_none_of_them() -> None:
    code = (
        "import sys, mainstay; mainstay.Policy\n"
        "print({'httpx', 'requests', 'aiohttp', 'urllib3'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_a_declared_dependency_knows_where_it_is_and_how_long_to_wait() -> None:
    declared = Dependency(service="catalog", timeout=Timeouts(connect_s=0.25, total_s=1.5))
    service = Service(
        Declaration(service="shop", app="shop:app", dependencies=(("catalog", declared),)),
        environ={"MAINSTAY_URL_CATALOG": "http://127.0.0.1:9999/"},
    )
    with service.dependency("catalog").sync_http_client() as client:
        assert str(client.base_url) == "http://127.0.0.1:9999"
        assert (client.timeout.connect, client.timeout.read) == (0.25, 1.5)


async def test_errors_of_a_policy_around_it_pass() -> None:
    """A client within another policy's call: its error is known there for what it is."""
    transport, seen = answering(*[httpx.ConnectError("refused")] * 9)
    outer = Policy(name="outer", retry=QUICKLY)

    def fetch() -> httpx.Response:
        with policy(retry=QUICKLY).sync_http_client(transport=transport) as client:
            return client.post("http://catalog/")

    with pytest.raises(MainstayError):
        outer.once.call(fetch)
    assert len(seen) == 3
