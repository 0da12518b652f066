"""Sessions as programs use them that were written for the frameworks' own."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.service.inbound.sessions.drive import Asgi, Wsgi

from mainstay.core.errors import PolicyMisused
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.service.inbound.sessions.asgi import AsgiSessions
from mainstay.service.inbound.sessions.django import session_middleware
from mainstay.service.inbound.sessions.flask import FlaskSessions
from mainstay.service.inbound.sessions.session import session as its_session
from mainstay.service.inbound.sessions.wsgi import WsgiSessions


def asgi_client(site: Asgi, app: Any) -> Callable[[str], tuple[int, str]]:
    """Return what asks a path, with the site's jar. Any: an ASGI app."""
    wrapped = AsgiSessions(site.sessions, app)

    def get(path: str) -> tuple[int, str]:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
            "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "https",
            "root_path": "", "client": ("192.0.2.1", 1), "server": ("shop", 443),
        }  # fmt: skip
        scope["mainstay.exchange"] = site.exchange(scope)
        asyncio.run(whole(wrapped(scope, receive, send)))
        keep(site, [(k.decode(), v.decode()) for k, v in sent[0]["headers"]])
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent[1:]).decode()

    return get


async def whole(answer: Awaitable[None]) -> None:
    await answer


def wsgi_client(site: Wsgi, app: Any) -> Callable[[str], tuple[int, str]]:
    """Return what asks a path, with the site's jar. Any: a WSGI app."""
    wrapped = WsgiSessions(site.sessions, app)

    def get(path: str) -> tuple[int, str]:
        got: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            got[:] = [int(status[:3]), headers]

        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "",
            "SERVER_NAME": "shop", "SERVER_PORT": "443", "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(), "HTTP_HOST": "shop",
        }  # fmt: skip
        environ["mainstay.exchange"] = site.exchange(environ)
        parts = wrapped(environ, start_response)
        body = b"".join(parts).decode()
        if hasattr(parts, "close"):
            parts.close()
        keep(site, got[1])
        return got[0], body

    return get


def keep(site: Asgi | Wsgi, headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        if name.lower() == "set-cookie":
            cookie, _, rest = value.partition("=")
            site.jar[cookie] = rest.partition(";")[0]
            if "Max-Age=0" in rest:
                del site.jar[cookie]


def test_starlette_finds_it_as_its_own_when_it_is_read_ahead() -> None:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def visit(request: Request) -> PlainTextResponse:
        request.session["visits"] = request.session.get("visits", 0) + 1
        return PlainTextResponse(str(request.session["visits"]))

    async def leave(request: Request) -> PlainTextResponse:
        request.session.clear()
        return PlainTextResponse("bye")

    app = Starlette(routes=[Route("/", visit), Route("/leave", leave)])
    site = Asgi(load="eager")
    get = asgi_client(site, app)
    assert [get("/")[1] for _ in range(3)] == ["1", "2", "3"]
    assert get("/leave") == (200, "bye")
    assert site.jar == {}
    assert get("/")[1] == "1"


def test_reading_ahead_is_not_touching() -> None:
    site = Asgi(load="eager")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/in":
            scope["session"]["a"] = 1
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    get = asgi_client(site, app)
    get("/in")
    site.records.calls.clear()
    # The store is away, and the app fails for a reason of its own: that is what is told.
    site.records.fail_at = 0
    assert get("/")[0] == 500
    assert site.records.calls == ["load"]


def test_fastapi_awaits_it_in_tasks_and_reads_it_in_threads() -> None:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/task")
    async def in_a_task() -> int:
        session = await its_session()
        session["visits"] = session.get("visits", 0) + 1
        found: int = session["visits"]
        return found

    @app.get("/thread")
    def in_a_thread() -> int:
        session = its_session()
        session["visits"] = session.get("visits", 0) + 1
        found: int = session["visits"]
        return found

    get = asgi_client(Asgi(), app)
    assert [get(path)[1] for path in ("/task", "/thread", "/thread", "/task")] == list("1234")


def test_a_task_that_does_not_await_it_is_told_how_at_the_first_request() -> None:
    site = Asgi()
    with pytest.raises(PolicyMisused, match=r"await mainstay.session\(\)"):
        site.ask(lambda session: session["a"], awaits=False)


@pytest.mark.parametrize("path", ["/task", "/thread"])
def test_a_store_that_is_away_is_told_whatever_the_framework_makes_of_it(path: str) -> None:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/task")
    async def in_a_task() -> int:
        return len(await its_session())

    @app.get("/thread")
    def in_a_thread() -> int:
        return len(its_session())

    site = Asgi()
    site.ask(lambda session: session.update(a=1))
    site.records.fail_at = len(site.records.calls)
    with pytest.raises(Refused) as told:
        asgi_client(site, app)(path)
    assert told.value.refusal.kind == "store-unavailable"


def test_litestar_finds_it_as_its_own() -> None:
    from litestar import Litestar, Request, get

    @get("/")
    async def visit(request: Request[Any, Any, Any]) -> int:
        session: Any = request.session
        await session
        session["visits"] = session.get("visits", 0) + 1
        found: int = session["visits"]
        return found

    # Litestar resolves annotations among the names of the module.
    visit.fn.__globals__["Request"] = Request
    ask = asgi_client(Asgi(), Litestar([visit]))
    assert [ask("/")[1] for _ in range(3)] == list("123")


def test_flask_finds_it_as_its_own() -> None:
    from flask import Flask, flash, get_flashed_messages, session

    app = Flask(__name__)
    app.session_interface = FlaskSessions()  # type: ignore[assignment]  # What it asks for is there.

    @app.get("/")
    def visit() -> str:
        session["visits"] = session.get("visits", 0) + 1
        flash("hello")
        return str(session["visits"])

    @app.get("/messages")
    def messages() -> str:
        return str(get_flashed_messages())

    @app.get("/leave")
    def leave() -> str:
        session.clear()
        return "bye"

    site = Wsgi()
    get = wsgi_client(site, app)
    assert [get("/")[1] for _ in range(2)] == ["1", "2"]
    assert get("/messages")[1] == "['hello', 'hello']"
    assert get("/messages")[1] == "[]"
    get("/leave")
    assert site.jar == {}
    get("/")
    site.records.fail_at = len(site.records.calls)
    with pytest.raises(Refused):
        get("/")


def test_an_app_that_is_not_wrapped_is_told_so() -> None:
    class Bare:
        environ: dict[str, Any] = {}  # noqa: RUF012  It stays empty.
        META: dict[str, Any] = {}  # noqa: RUF012  As above.

    with pytest.raises(PolicyMisused, match="wrap the app"):
        FlaskSessions().open_session(None, Bare())
    with pytest.raises(PolicyMisused, match="wrap the app"):
        session_middleware(lambda request: request)(Bare())
    with pytest.raises(PolicyMisused, match=r"inbound.session"):
        its_session()


def test_django_finds_it_as_its_own() -> None:
    """By its own words for it; Django's settings are for a whole process, so none are made here."""
    site = Wsgi()

    def app(environ: Any, start_response: Any) -> Any:
        class HttpRequest:
            META = environ
            session: Any = None

        def view(request: Any) -> str:
            session = request.session
            if environ["PATH_INFO"] == "/login":
                session.cycle_key()
                session["_auth_user_id"] = "7"
                session.ours.bind("7")
                session.modified = True
                session.save()
            elif environ["PATH_INFO"] == "/logout":
                session.flush()
            return f"{session.get('_auth_user_id')} {session.is_empty()} {len(session)}"

        said = session_middleware(view)(HttpRequest())
        start_response("200 OK", [])
        return [said.encode()]

    get = wsgi_client(site, app)
    assert get("/")[1] == "None True 0"
    assert get("/login")[1] == "7 False 1"
    assert get("/")[1] == "7 False 1"
    assert get("/logout")[1] == "None True 0"
    assert site.jar == {}
