"""The perimeter around real frameworks, in both shells, from the declaration to the answer."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from flask import Flask
from flask import request as flask_request

from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors, Errors

ORIGIN = "https://web.example"
INBOUND = Inbound(
    hosts=("shop.example",),
    body_bytes_max=10,
    cors=Cors(origins=(ORIGIN,)),
    errors=Errors(app="problem"),
)

PAGE = "<h1>Our own page</h1>"

Chunks = tuple[bytes, ...]
Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Answer]


def service() -> Service:
    declaration = Declaration(service="shop", app="shop:app", inbound=INBOUND)
    return Service(declaration, environ={})


def fastapi_app() -> FastAPI:
    app = FastAPI()

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/json")
    async def parsed(body: dict[str, int]) -> int:
        return len(body)

    @app.get("/own")
    async def own() -> Response:
        return Response(headers={"X-Frame-Options": "SAMEORIGIN", "Server": "secret/1.0"})

    @app.get("/conflict")
    async def conflict() -> None:
        raise HTTPException(409, {"message": "Only three are left.", "left": 3})

    @app.get("/page/{status}")
    async def page(status: int) -> HTMLResponse:
        return HTMLResponse(PAGE, status)

    return app


def flask_app() -> Flask:
    app = Flask("shop")

    @app.post("/length")
    def length() -> str:
        return str(len(flask_request.stream.read()))

    @app.get("/own")
    def own() -> tuple[str, dict[str, str]]:
        return "", {"X-Frame-Options": "SAMEORIGIN", "Server": "secret/1.0"}

    @app.get("/conflict")
    def conflict() -> tuple[dict[str, Any], int]:
        return {"message": "Only three are left.", "left": 3}, 409

    @app.get("/page/<int:status>")
    def page(status: int) -> tuple[str, int]:
        return PAGE, status

    return app


def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return headers by name; only ``Vary`` may come in several lines."""
    names = [name for name, _ in pairs if name != "vary"]
    assert len(names) == len(set(names)), "a header came twice"
    return dict(pairs)


def ask_asgi(method: str, path: str, headers: Mapping[str, str], body: Chunks) -> Answer:
    got: list[dict[str, Any]] = []
    messages: Iterator[dict[str, Any]] = iter(
        [
            *({"type": "http.request", "body": part, "more_body": True} for part in body),
            {"type": "http.request", "body": b"", "more_body": False},
        ]
    )

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(message: MutableMapping[str, Any]) -> None:
        got.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(service().asgi(fastapi_app())(scope, receive, send))
    found = once([(name.decode(), value.decode()) for name, value in got[0]["headers"]])
    return got[0]["status"], found, b"".join(message.get("body", b"") for message in got[1:])


def ask_wsgi(method: str, path: str, headers: Mapping[str, str], body: Chunks) -> Answer:
    got: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        got[:] = [int(status[:3]), headers]

    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"".join(body)),
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_LENGTH", "CONTENT_TYPE"} else f"HTTP_{key}"] = value
    whole = b"".join(service().wsgi(flask_app())(environ, start_response))
    status, pairs = got
    return status, once([(name.lower(), value) for name, value in pairs]), whole


@pytest.fixture(params=[ask_asgi, ask_wsgi], ids=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask a wrapped app, by a host that it has unless another one is named."""

    def asked(
        method: str, path: str, headers: Mapping[str, str] | None = None, *body: bytes
    ) -> Answer:
        answer: Answer = request.param(
            method, path, {"Host": "shop.example", **(headers or {})}, body
        )
        return answer

    return asked


def test_a_body_that_fits_is_read(ask: Ask) -> None:
    status, headers, body = ask("POST", "/length", {"Content-Length": "10"}, b"12345", b"67890")
    assert (status, body) == (200, b"10")
    assert headers["x-content-type-options"] == "nosniff"
    chunked = {"Transfer-Encoding": "chunked"}
    assert ask("POST", "/length", chunked, b"12345", b"67890")[2] == b"10"


@pytest.mark.parametrize("headers", [{"Content-Length": "11"}, {"Transfer-Encoding": "chunked"}])
def test_a_body_that_is_too_long_is_a_413(ask: Ask, headers: dict[str, str]) -> None:
    status, found, body = ask("POST", "/length", headers, b"12345", b"67890", b"1")
    assert status == 413
    assert found["content-type"] == "application/problem+json"
    assert found["connection"] == "close"
    assert json.loads(body)["type"].endswith("#body-too-large")


def test_what_fastapi_makes_of_it_is_a_413_all_the_same() -> None:
    """FastAPI answers 400 to whatever a body raises while it is parsed."""
    headers = {
        "Host": "shop.example",
        "Transfer-Encoding": "chunked",
        "Content-Type": "application/json",
    }
    status, _, body = ask_asgi("POST", "/json", headers, (b'{"a": 1, "b": 2}',))
    assert (status, json.loads(body)["status"]) == (413, 413)


def test_another_host_is_refused_and_dressed(ask: Ask) -> None:
    status, headers, body = ask("GET", "/own", {"Host": "evil.com", "Origin": ORIGIN})
    assert status == 421
    document = json.loads(body)
    assert document["type"].endswith("#host-not-allowed")
    assert document["request_id"] == headers["x-request-id"]
    assert headers["x-frame-options"] == "DENY"
    # A page of an origin that may read answers may read this one.
    assert headers["access-control-allow-origin"] == ORIGIN


def test_what_the_app_says_stays_and_its_name_does_not(ask: Ask) -> None:
    status, headers, _ = ask("GET", "/own")
    assert status == 200
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert "server" not in headers


def test_preflights_never_reach_the_app(ask: Ask) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    status, headers, body = ask("OPTIONS", "/nowhere", asked)
    assert (status, body) == (204, b"")
    assert headers["access-control-allow-origin"] == ORIGIN
    status, headers, body = ask("OPTIONS", "/nowhere", {**asked, "Origin": "https://evil.com"})
    assert status == 403
    assert json.loads(body)["type"].endswith("#origin-not-allowed")
    assert "access-control-allow-origin" not in headers


def test_the_apps_own_errors_become_problems(ask: Ask) -> None:
    status, headers, body = ask("GET", "/conflict")
    assert status == 409
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    document = json.loads(body)
    assert (document["detail"], document["left"]) == ("Only three are left.", 3)
    assert json.loads(ask("GET", "/nowhere")[2])["title"] == "Not Found"


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("status", [404, 503])
def test_a_page_for_people_stays_a_page_for_those_who_look_at_it(ask: Ask, status: int) -> None:
    found, headers, body = ask("GET", f"/page/{status}", BROWSER)
    assert (found, body.decode()) == (status, PAGE)
    assert headers["content-type"].startswith("text/html")
    for program in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        found, headers, body = ask("GET", f"/page/{status}", program)
        assert (found, json.loads(body)["status"]) == (status, status)
        assert headers["content-type"] == "application/problem+json"


def test_a_500_is_never_a_page(ask: Ask) -> None:
    """A framework's page of that status may hold everything."""
    _, headers, body = ask("GET", "/page/500", BROWSER)
    assert headers["content-type"] == "application/problem+json"
    assert PAGE.encode() not in body
