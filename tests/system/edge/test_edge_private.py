"""A service's health in detail is not for clients from outside."""

from dataclasses import replace

import httpx
import pytest
from tests.system.edge.world import World

from mainstay.spec.edge import Edge
from mainstay.spec.health import Health
from mainstay.spec.inbound import Inbound

pytestmark = pytest.mark.system


async def ask(world: World, path: str, port: int | None = None) -> int:
    """The status of a request whose path arrives exactly as written."""
    port = port or world.port
    url = httpx.URL(scheme="http", host="127.0.0.1", port=port, raw_path=path.encode())
    return (await world.client.get(url)).status_code


async def mounted(world: World, path: str) -> None:
    world.declare(Edge(), replace(world.declaration, inbound=Inbound(health=Health(path=path))))
    await world.backend()
    await world.up()


@pytest.mark.parametrize(
    "spelled",
    [
        "/health",
        "/health?verbose=1",
        "/health/",
        "/health/startup",
        "/health/startup?x",
        "/health/anything/below",
        "/health/live/details",
        "/health/group/stores",
        "//health",
        "/a/../health",
        "/%68ealth",
        "/health%2Fstartup",
        "/health%2fstartup",
        "/health/ready%2f..%2fstartup",
        "/metrics",
        "/metrics?name[]=x",
        "/%6detrics",
        "//metrics",
    ],
)
async def test_details_and_metrics_are_hidden_however_they_are_spelled(
    world: World, spelled: str
) -> None:
    await mounted(world, "/health")
    assert await ask(world, spelled) == 404
    assert world.backends[0].seen == []
    assert await ask(world, spelled, world.internal_port) == 200, "siblings may see it"


async def test_the_refusal_is_a_problem_document(world: World) -> None:
    await mounted(world, "/health")
    response = await world.get("/health")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:mainstay:edge:not-public"


async def test_what_a_load_balancer_asks_is_open_and_so_is_the_app(world: World) -> None:
    await mounted(world, "/health")
    for path in (
        "/health/live",
        "/health/ready?from=lb",
        "/healthy",
        "/my/health",
        "/health-tips",
        "/metrics/about",
        "/my/metrics",
    ):
        assert await ask(world, path) == 200, path


async def test_a_client_cannot_say_that_it_is_inside(world: World) -> None:
    await mounted(world, "/health")
    for name in ("x-mainstay-listener", "x-mainstay-peer", "x-envoy-internal"):
        for value in ("internal", "127.0.0.1", "true"):
            assert (await world.get("/health", **{name: value})).status_code == 404


@pytest.mark.parametrize("path", ["/ops/(deep)/h.e+alth", "/" + "h" * 255, "/" + "%" * 255])
async def test_it_follows_where_health_is_mounted(world: World, path: str) -> None:
    await mounted(world, path)
    for below, status in (("", 404), ("/startup", 404), ("/live", 200), ("/ready", 200)):
        assert await ask(world, path + below) == status, below
    assert await ask(world, "/health") == 200, "this is the app's own"
    assert await ask(world, "/" + path[1:].replace("/", "%2F").replace("(", "%28")) == 404
    assert await ask(world, path.replace(".", "x") + "s") == 200, "nothing else is hidden"


async def test_mounted_at_the_root_it_does_not_hide_the_app(world: World) -> None:
    await mounted(world, "/")
    for path, status in (
        ("/", 200),
        ("/live", 200),
        ("/startup", 404),
        ("/startups", 200),
        ("/group/stores", 404),
        ("/group%2Fstores?x", 404),
        ("/groups", 200),
    ):
        assert await ask(world, path) == status, path


async def test_a_command_keeps_its_own(world: World) -> None:
    world.declaration = replace(world.declaration, app=None, command=("serve",))
    await mounted(world, "/health")
    assert await ask(world, "/health") == 200
    assert await ask(world, "/health/startup") == 200
