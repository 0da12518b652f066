"""Traces and error reports of apps of each framework, through both shells, to real receivers."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.telemetry.joined import Joined, joined
from tests.telemetry.reports.receiver import receiving as receiving_reports
from tests.telemetry.traces.receiver import attributes_of, receiving

from mainstay import Bulkhead, Http, Policy, Retry
from mainstay.core.trace import SAMPLED
from mainstay.service.outbound.adapters.http_clients.httpx import http_client
from mainstay.telemetry.traces.span import ERROR

TRACE_ID, CALLER = "a" * 32, "b" * 16
SAMPLED_BY_CALLER = {"traceparent": f"00-{TRACE_ID}-{CALLER}-01"}
DROPPED_BY_CALLER = {"traceparent": f"00-{TRACE_ID}-{CALLER}-00"}


def fails() -> None:
    raise LookupError("no such item")


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def item(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["item_id"])

    async def boom(_request: Request) -> None:
        fails()

    return Starlette(routes=[Route("/items/{item_id}", item), Route("/boom", boom)])


def fastapi_app() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> str:
        return item_id

    @app.get("/boom")
    def boom() -> None:
        fails()

    return app


def quart_app() -> Any:
    from quart import Quart

    app = Quart("quart_app")

    @app.get("/items/<item_id>")
    async def item(item_id: str) -> str:
        return item_id

    @app.get("/boom")
    async def boom() -> str:
        fails()
        return ""

    return app


def litestar_app() -> Any:
    from litestar import Litestar, get
    from litestar.params import FromPath

    @get("/items/{item_id:str}")
    async def item(item_id: FromPath[str]) -> str:
        return item_id

    @get("/boom")
    async def boom() -> None:
        fails()

    return Litestar([item, boom], logging_config=None)


def flask_app() -> Any:
    from flask import Flask

    app = Flask("flask_app")
    app.logger.disabled = True

    @app.get("/items/<item_id>")
    def item(item_id: str) -> str:
        return item_id

    @app.get("/boom")
    def boom() -> str:
        fails()
        return ""

    return app


ASGI: dict[str, Callable[[], Any]] = {
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "quart": quart_app,
    "litestar": litestar_app,
}


class Asked:
    """One app of a framework, wrapped, and how it is asked."""

    def __init__(self, name: str, world: Joined) -> None:
        self.is_wsgi = name == "flask"
        self.app = world.wsgi(flask_app()) if self.is_wsgi else world.asgi(ASGI[name]())

    def get(self, path: str, **headers: str) -> int:
        """Return the status of the answer."""
        if self.is_wsgi:
            return self._wsgi(path, headers)

        async def ask() -> int:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                return (await client.get(path, headers=headers)).status_code

        return asyncio.run(ask())

    def _wsgi(self, path: str, headers: dict[str, str]) -> int:
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "SERVER_NAME": "shop",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "shop",
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }
        body = self.app(environ, lambda status, _headers, _exc=None: said.append(status))
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()
        return int(said[0][:3])


FRAMEWORKS = [*ASGI, "flask"]


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_request_has_a_span_with_its_route_and_its_callers_trace(framework: str) -> None:
    with receiving() as receiver, joined(endpoint=receiver.url, sample=0.0) as world:
        asked = Asked(framework, world)
        assert asked.get("/items/7", **SAMPLED_BY_CALLER) == 200
        assert asked.get("/items/8", **DROPPED_BY_CALLER) == 200
        assert asked.get("/nowhere", **SAMPLED_BY_CALLER) == 404
        world.flush()
        served, lost = receiver.spans
    found = attributes_of(served)
    assert (served.trace_id.hex(), served.parent_span_id.hex()) == (TRACE_ID, CALLER)
    assert found["url.path"] == "/items/7"
    assert found["http.response.status_code"] == 200
    assert "item_id" in found["http.route"]
    assert served.name == f"GET {found['http.route']}"
    assert "mainstay.kept" not in found
    assert (lost.name, attributes_of(lost)["http.response.status_code"]) == ("GET", 404)


def test_an_error_is_kept_without_a_sample_and_reported_once(framework: str) -> None:
    """By one trace id, be it that the framework answers by itself or raises the error again."""
    with (
        receiving() as receiver,
        receiving_reports() as reported,
        joined(endpoint=receiver.url, dsn=reported.dsn, sample=0.0) as world,
    ):
        assert Asked(framework, world).get("/boom", **DROPPED_BY_CALLER) == 500
        world.flush()
        [span] = receiver.spans
        [report] = reported.events
    found = attributes_of(span)
    assert (span.trace_id.hex(), span.status.code) == (TRACE_ID, ERROR)
    assert not span.flags & SAMPLED
    assert (found["mainstay.kept"], found["http.response.status_code"]) == ("error", 500)
    [moment] = span.events
    assert attributes_of(moment)["exception.type"] == "LookupError"
    assert report["contexts"]["trace"]["trace_id"] == TRACE_ID
    assert report["contexts"]["trace"]["span_id"] == span.span_id.hex()
    assert report["exception"]["values"][-1]["value"] == "no such item"
    assert report["transaction"] == "GET /boom"
    assert report["request"]["url"] == "http://shop/boom"


def test_traces_that_begin_here_are_sampled_as_declared(framework: str) -> None:
    with receiving() as receiver, joined(endpoint=receiver.url, sample=0.5) as world:
        asked = Asked(framework, world)
        for number in range(60):
            asked.get(f"/items/{number}")
        world.flush()
        spans = receiver.spans
    assert 10 < len(spans) < 50
    assert all(int(one.trace_id.hex()[16:], 16) < 2**63 for one in spans)
    assert all(one.flags & SAMPLED for one in spans)


def test_an_error_of_background_work_is_reported_and_kept() -> None:
    with (
        receiving() as receiver,
        receiving_reports() as reported,
        joined(endpoint=receiver.url, dsn=reported.dsn, sample=0.0) as world,
    ):

        async def send_receipt() -> None:
            await asyncio.sleep(0)
            fails()

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            world.service.background(send_receipt)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        shell = world.asgi(app)

        async def ask() -> None:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(shell), base_url="http://shop"
            ) as client:
                await client.get("/", headers=DROPPED_BY_CALLER)
            await world.service._inbound.drain.background.finish_async(60)

        asyncio.run(ask())
        world.flush()
        [span] = receiver.spans
        [report] = reported.events
    assert span.name.endswith("send_receipt")
    assert (span.trace_id.hex(), span.status.code) == (TRACE_ID, ERROR)
    assert report["transaction"] == span.name
    assert report["contexts"]["trace"]["trace_id"] == TRACE_ID


def test_the_drain_sends_what_waits() -> None:
    with receiving() as receiver, joined(endpoint=receiver.url) as world:
        assert Asked("flask", world).get("/items/7") == 200
        world.service._inbound.drain.closers.run(60)
        assert len(receiver.spans) == 1


def test_without_a_receiver_nothing_is_made() -> None:
    with joined() as world:
        assert world.tracing is None
        assert Asked("flask", world).get("/boom") == 500


@pytest.mark.parametrize("flag", ["01", "00"])
def test_spans_of_two_services_are_one_tree(flag: str) -> None:
    """What a caller sends as parent is the span of that very attempt, also where both are kept."""
    with (
        receiving() as receiver,
        joined(endpoint=receiver.url, sample=0.0) as front,
        joined(endpoint=receiver.url, sample=0.0) as back,
    ):
        behind = back.asgi(_always(503))

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            policy = Policy(
                name="payments",
                bulkhead=Bulkhead(),
                retry=Retry(attempts=2, backoff=(0.0001, 0.0002), budget=None),
                events=front.service.events,
            )
            transport = httpx.ASGITransport(behind)
            base = Http(base_url="http://pay")
            async with http_client(policy, base, transport=transport) as client:
                answer = await client.get("/charge")
            assert answer.status_code == 503
            await _always(500)(_scope, _receive, send)

        async def ask() -> None:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(front.asgi(app)), base_url="http://shop"
            ) as client:
                traceparent = f"00-{TRACE_ID}-{CALLER}-{flag}"
                await client.get("/", headers={"traceparent": traceparent})

        asyncio.run(ask())
        front.flush()
        back.flush()
        spans = receiver.spans
    assert {one.trace_id.hex() for one in spans} == {TRACE_ID}
    [root] = [one for one in spans if one.parent_span_id.hex() == CALLER]
    calls = [one for one in spans if one.kind == one.SPAN_KIND_CLIENT]
    assert [one.parent_span_id for one in calls] == [root.span_id] * 2
    served = [one for one in spans if one.kind == one.SPAN_KIND_SERVER and one is not root]
    assert {one.parent_span_id for one in served} == {one.span_id for one in calls}
    assert [moment.name for moment in root.events] == ["mainstay.retried", "mainstay.gave_up"]
    kept = [attributes_of(one).get("mainstay.kept") for one in (root, *served)]
    assert kept == ([None] * 3 if flag == "01" else ["error"] * 3)


def _always(status: int) -> Any:
    """Return an app that always answers so. Any: of ASGI."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app
