"""What frameworks would trace by themselves: off where the request has a span of ours."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from opentelemetry import trace
from tests.telemetry.joined import joined
from tests.telemetry.traces.receiver import receiving

SAMPLED = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


@pytest.mark.parametrize(("own", "traced"), [({}, False), ({"tracer_provider": ...}, True)])
def test_fastapi_traces_by_itself_only_for_a_provider_of_its_own(
    own: dict[str, Any], *, traced: bool
) -> None:
    """A request had two spans, and the calls that it made were children of the second."""
    seen: list[bool] = []
    with receiving() as receiver, joined(endpoint=receiver.url) as world:
        # By now the process has a provider, which FastAPI would take.
        given = {name: trace.get_tracer_provider() for name in own}
        app = FastAPI(telemetry=given)  # type: ignore[arg-type]  # Names are not known beforehand.

        @app.get("/")
        async def root(request: Request) -> None:
            seen.append("fastapi.telemetry" in request.scope)

        async def ask() -> None:
            transport = httpx.ASGITransport(world.asgi(app))
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                await client.get("/", headers=SAMPLED)

        asyncio.run(ask())
        world.flush()
    assert seen == [traced]
    if not traced:
        assert [one.name for one in receiver.spans] == ["GET /"]
