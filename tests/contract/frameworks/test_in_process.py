"""What needs no server: the apps' own errors as problems, and context variables."""

import asyncio
import importlib
import os
import subprocess
import sys
from contextvars import Context, copy_context
from typing import Any

import httpx
import pytest
from tests.contract.frameworks.apps import kit
from tests.contract.frameworks.running import APPS, ROOT
from tests.telemetry.logs.sinks import silent_writer

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell
from mainstay.service.inbound.wsgi.shell import WsgiShell
from mainstay.spec.perimeter import Errors

ASGI_APPS = ("fastapi_app", "starlette_app", "litestar_app", "quart_app", "django_app")
APPS_HERE = (*ASGI_APPS, "flask_app")
URL = "http://127.0.0.1"

Shell = AsgiShell | WsgiShell


@pytest.fixture
def service() -> Service:
    declared = kit.declaration(errors=Errors(app="problem"))
    return Service(declared, environ={}, writer=silent_writer())


@pytest.fixture(params=APPS_HERE)
def shell(request: pytest.FixtureRequest, service: Service) -> Shell:
    module = importlib.import_module(f"{APPS}.{request.param}")
    made: Shell = module.make(service)
    return made


def ask(shell: Shell, method: str, path: str, **how: Any) -> httpx.Response:
    """Ask an app without a server. Any: what httpx takes."""
    if isinstance(shell, WsgiShell):
        transport = httpx.WSGITransport(shell)
        with httpx.Client(transport=transport, base_url=URL) as client:
            return client.request(method, path, **how)

    async def asked() -> httpx.Response:
        asgi = httpx.ASGITransport(shell)
        async with httpx.AsyncClient(transport=asgi, base_url=URL) as client:
            return await client.request(method, path, **how)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/json", 405)]
)
def test_the_frameworks_own_errors_become_problems(
    shell: Shell, method: str, path: str, status: int
) -> None:
    if status == 405 and "django" in type(shell.wrapped).__module__:
        pytest.skip("this view takes every method")
    answer = ask(shell, method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert "<" not in answer.text


def test_faults_of_the_input_are_listed(service: Service) -> None:
    """As FastAPI finds them, without the input itself."""
    shell = importlib.import_module(f"{APPS}.fastapi_app").make(service)
    answer = ask(shell, "POST", "/item", json={"name": ["secret"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/name"
    assert "secret" not in answer.text


def variable_outside(app: Any) -> str:
    """Return what stands outside of an app that sets the variable. Any: wrapped or not."""
    seen: list[str] = []

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        seen.append(kit.inner.get())

    async def asked() -> None:
        transport = httpx.ASGITransport(around)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            assert (await client.get("/json")).status_code == 200

    copy_context().run(asyncio.run, asked())
    return seen[0]


def variable_outside_sync(app: Any) -> str:
    """Return the same of WSGI. Any: wrapped or not."""

    def asked() -> str:
        with httpx.Client(transport=httpx.WSGITransport(app), base_url=URL) as client:
            assert client.get("/json").status_code == 200
        return kit.inner.get()

    return Context().run(asked)


def test_context_variables_are_seen_outside_where_the_framework_allows(shell: Shell) -> None:
    """The wrapper takes nothing away: FastAPI's handlers run in the caller's own context."""
    look = variable_outside_sync if isinstance(shell, WsgiShell) else variable_outside
    bare = look(shell.wrapped)
    assert look(shell) == bare
    if type(shell.wrapped).__module__.partition(".")[0] in {"fastapi", "starlette", "flask"}:
        assert bare == "handler"


def test_a_wrapped_app_may_be_mounted_in_another(service: Service) -> None:
    """It keeps its ids and headers; what the outer app answers has none of them."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def own(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("outer")

    inner = importlib.import_module(f"{APPS}.starlette_app").make(service)
    outer = Starlette(routes=[Route("/own", own), Mount("/inner", inner)])

    async def asked() -> list[httpx.Response]:
        transport = httpx.ASGITransport(outer)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return [await client.get(path) for path in ("/inner/sub/where", "/own")]

    within, without = asyncio.run(asked())
    assert within.json() == {"path": "/inner/sub/where", "root": "/inner/sub"}
    assert within.headers["x-request-id"]
    assert "x-request-id" not in without.headers


def test_an_app_imports_nothing_that_it_does_not_use() -> None:
    """Wrapping Flask loads no server and no other framework."""
    code = (
        f"import sys, {APPS}.flask_app\n"
        "found = {'starlette', 'django', 'quart', 'granian', 'uvicorn'} & set(sys.modules)\n"
        "raise SystemExit(repr(found) if found else 0)"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
