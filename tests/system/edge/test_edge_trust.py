"""What is believed of whom, what passes through, what is logged, what is answered."""

import asyncio
import base64
import json
from dataclasses import replace

import pytest
from tests.system.edge.world import BOUND_S, Backend, Request, World, hang, raw, reset, until

from mainstay.spec.edge import Edge, EdgeLimits, EdgeRetry
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed

pytestmark = pytest.mark.system


async def plain(world: World, edge: Edge | None = None) -> Backend:
    world.declare(edge or Edge())
    backend = await world.backend("here")
    await world.up()
    return backend


async def internal(world: World, path: str = "/", **headers: str) -> int:
    url = f"http://127.0.0.1:{world.internal_port}{path}"
    return (await world.client.get(url, headers=headers)).status_code


async def test_a_client_says_nothing_about_where_it_comes_from(world: World) -> None:
    backend = await plain(world)
    lies = {
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "lie",
        "x-forwarded-proto": "https",
        "x-real-ip": "10.0.0.1",
        "forwarded": "for=10.0.0.1",
        "x-request-id": "lie",
        "x-envoy-internal": "true",
        "x-envoy-external-address": "10.0.0.1",
        "x-mainstay-service": "lie",
        "x-mainstay-peer": "10.0.0.1",
        "x_forwarded_for": "10.0.0.1",
    }
    assert (await world.get(**lies)).text == "here"
    seen = backend.seen[0].headers
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-request-id"] != "lie"
    assert "10.0.0.1" not in seen.values()
    assert "lie" not in seen.values()
    ours = {name for name in seen if name.startswith(("x-envoy", "x-mainstay", "x_"))}
    assert ours == {"x-envoy-expected-rq-timeout-ms"}


async def test_a_client_cannot_say_what_it_is_worth(world: World) -> None:
    """Not in any case, nor twice, nor as a websocket; a sibling says it and is heard."""
    inbound = Inbound(shed=Shed(header="X-Request-Priority"))
    world.declare(Edge(), replace(world.declaration, inbound=inbound))
    backend = await world.backend()
    await world.up()
    for name in ("x-request-priority", "X-REQUEST-PRIORITY", "X_Request_Priority"):
        await world.client.get(world.url, headers=[(name, "critical"), (name, "high")])
    await world.get(connection="upgrade, x-request-priority", upgrade="websocket")
    assert len(backend.seen) == 4
    assert not [seen for seen in backend.seen if "critical" in "".join(seen.headers.values())]
    assert await internal(world, **{"x-request-priority": "critical"}) == 200
    assert backend.seen[-1].headers["x-request-priority"] == "critical"


async def test_a_client_does_not_steer_the_edge(world: World) -> None:
    backend = await plain(world, Edge(retry=None, timeout_s=7))
    backend.answer = reset
    steering = {
        "x-envoy-retry-on": "5xx,reset",
        "x-envoy-max-retries": "9",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-expected-rq-timeout-ms": "1",
        "x-envoy-upstream-alt-stat-name": "lie",
    }
    assert (await world.get(**steering)).status_code == 503
    assert len(backend.seen) == 1
    assert backend.seen[0].headers["x-envoy-expected-rq-timeout-ms"] == "7000"


async def test_a_sibling_passes_on_its_deadline(world: World) -> None:
    backend = await plain(world, Edge(retry=None, timeout_s=30))
    kept = {"x-request-id": "mine", "x-forwarded-for": "203.0.113.9", "traceparent": "00-a-b-01"}
    deadline = {"x-envoy-expected-rq-timeout-ms": "9000"}
    assert await internal(world, **deadline, **kept) == 200
    seen = backend.seen[0].headers
    assert seen["x-envoy-expected-rq-timeout-ms"] == "9000"
    assert {name: seen[name] for name in kept} == kept
    backend.answer = hang
    async with asyncio.timeout(20):
        assert await internal(world, **{"x-envoy-expected-rq-timeout-ms": "200"}) == 504


async def test_without_a_deadline_the_route_has_its_own(world: World) -> None:
    """`inbound.deadline`, 5 s, and a second more."""
    backend = await plain(world)
    assert await internal(world) == 200
    assert backend.seen[0].headers["x-envoy-expected-rq-timeout-ms"] == "6000"


async def test_paths_are_made_plain(world: World) -> None:
    backend = await plain(world)
    async with raw(world.port) as (reader, writer):
        writer.write(b"GET /a/../b//c/./d%2Fe?q=//x HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"here")
    assert backend.seen[0].path == "/b/c/d%2Fe?q=//x"


async def test_the_response_names_no_software(world: World) -> None:
    backend = await plain(world)

    async def telling(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nserver: app/1.2.3\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    backend.answer = telling
    headers = (await world.get()).headers
    assert headers["server"] == "mainstay"
    assert not [name for name in headers if name.startswith("x-envoy")]


async def test_http_1_0_is_served(world: World) -> None:
    await plain(world)
    async with raw(world.port) as (reader, writer), asyncio.timeout(BOUND_S):
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        response = await reader.read()
    assert response.startswith(b"HTTP/1.0 200")
    assert response.endswith(b"here")


@pytest.mark.parametrize("limits", [EdgeLimits(), EdgeLimits(body_bytes_max=1000)])
async def test_a_websocket_passes_and_outlives_the_timeout(
    world: World, limits: EdgeLimits
) -> None:
    backend = await plain(world, Edge(timeout_s=0.5, limits=limits))

    async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
        assert request.headers["upgrade"] == "websocket"
        writer.write(
            b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nfirst"
        )
        await writer.drain()
        await asyncio.sleep(1.5)
        writer.write(b"second")
        await writer.drain()

    backend.answer = echo
    key = base64.b64encode(b"0123456789abcdef").decode()
    head = (
        "GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n"
    )
    async with raw(world.port) as (reader, writer), asyncio.timeout(BOUND_S):
        writer.write(head.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert await reader.readexactly(5) == b"first"
        assert await reader.readexactly(6) == b"second"


def lines(world: World) -> list[dict[str, object]]:
    found = [json.loads(line) for line in world.log.read_text().splitlines()]
    return [line for line in found if "method" in line]


async def test_each_request_has_one_line_without_its_query(world: World) -> None:
    backend = await plain(world)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    secret = "token=s3cr3t"
    await world.get(f"/a?{secret}", traceparent=parent, **{"user-agent": 'x"y\\z'})
    assert await internal(world, f"/b?{secret}") == 200
    await until(lambda: len(lines(world)) == 2, "both lines are written")
    outside, inside = lines(world)
    assert isinstance(outside.pop("duration_ms"), int)
    assert str(outside.pop("time")).endswith("Z")
    assert outside.pop("request_id") == backend.seen[0].headers["x-request-id"]
    assert outside == {
        "service": "web",
        "listener": "public",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "attempts": 1,
        "replica": f"127.0.0.1:{backend.port}",
        "cluster": "web@dev",
        "bytes_in": 0,
        "bytes_out": 4,
        "flags": "-",
        "client": "127.0.0.1",
        "traceparent": parent,
        "user_agent": 'x"y\\z',
    }
    assert (inside["listener"], inside["path"]) == ("internal", "/b")
    assert secret not in world.log.read_text()


async def test_no_client_can_break_a_line(world: World) -> None:
    await plain(world)
    async with raw(world.port) as (reader, writer):
        writer.write(b'GET /"\xc3\xa9 HTTP/1.1\r\nhost: x\r\nuser-agent: \xff\x80"}\t{\r\n\r\n')
        await reader.readuntil(b"\r\n\r\n")
    long = "a" * 20_000
    await world.get("/" + long, **{"user-agent": long})
    await until(lambda: len(lines(world)) >= 1, "a line is written")
    await until(lambda: "a" * 511 in world.log.read_text(), "the long one too")
    assert all(len(line) < 4000 for line in world.log.read_text().splitlines())


async def test_the_access_log_can_be_turned_off(world: World) -> None:
    await plain(world, Edge(access_log=False))
    await world.names(3)
    await world.edge.drain(1)
    assert lines(world) == []


async def test_a_problem_names_nothing_inside(world: World) -> None:
    backend = await plain(world, Edge(retry=EdgeRetry(attempts=1), timeout_s=0.3))
    backend.answer = hang
    late = await world.get()
    backend.answer = reset
    lost = await world.get()
    await backend.stop()
    gone = await world.get()
    for response, status, name in (
        (late, 504, "timeout"),
        (lost, 503, "replica-lost"),
        (gone, 503, "replica-lost"),
    ):
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert set(problem) == {"type", "title", "status", "detail", "request_id"}
        assert problem["type"] == f"urn:mainstay:edge:{name}"
        assert problem["status"] == status
        assert len(problem["request_id"]) == 36
        for secret in (str(backend.port), "127.0.0.1", "upstream", "envoy", "connect"):
            assert secret not in response.text.lower()


async def test_the_figures_are_those_of_the_traffic(world: World) -> None:
    backend = await plain(world)
    await world.names(7)
    backend.answer = reset
    await world.client.post(world.url)
    await until(lambda: _has_latency(world), "the histograms are merged")
    service = (await world.edge.stats()).services[0]
    assert (service.service, service.requests, service.errors, service.active) == ("web", 8, 1, 0)
    replica = service.replicas[0]
    assert replica.address == f"127.0.0.1:{backend.port}"
    assert (replica.requests, replica.errors, replica.healthy) == (8, 1, True)
    assert service.p50_ms is not None
    assert service.p99_ms is not None
    assert service.p50_ms <= service.p99_ms


async def _has_latency(world: World) -> bool:
    return (await world.edge.stats()).services[0].p99_ms is not None
