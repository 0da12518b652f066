"""Routes as real frameworks leave them, at versions that are installed."""

import asyncio
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import flask
import litestar
import pytest
import quart
from fastapi import APIRouter, FastAPI
from litestar.params import PathParameter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.route import ROUTE_KEY, UNMATCHED, matched_route, route_of, watch_routes

ROOT = Path(__file__).parents[2]


async def asgi_route(app: Any, asked: str) -> str:
    """Return the route that a request takes through an ASGI app. Any: of whatever framework."""
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": asked, "raw_path": asked.encode(), "root_path": "",
        "query_string": b"", "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    bodies = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for body in bodies:
            return body
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        del message

    await app(scope, receive, send)
    return route_of(exchange(scope, asked))


def wsgi_route(app: Any, asked: str) -> str:
    """Return the route that a request takes through a WSGI app. Any: of whatever framework."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": asked, "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost", "wsgi.url_scheme": "http", "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }  # fmt: skip
    answer = app(environ, lambda status, headers, info=None: lambda body: None)
    list(answer)
    getattr(answer, "close", lambda: None)()
    return route_of(exchange(environ, asked))


def exchange(scope: dict[str, Any], asked: str) -> Exchange:
    made = Exchange()
    made.scope, made.path = scope, asked
    return made


async def plain(request: Request) -> Response:
    return PlainTextResponse("ok")


INNER = [Route("/c/{d}", plain), Mount("/deep", app=PlainTextResponse("x"))]
STARLETTE = Starlette(
    routes=[
        Route("/a/{b}", plain),
        Route("/numbers/{n:int}", plain),
        Mount("/m/{z:int}", routes=INNER),
        Mount("/static", app=PlainTextResponse("x")),
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/a/4", "/a/{b}"),
        ("/numbers/4", "/numbers/{n}"),
        ("/m/7/c/8", "/m/{z}/c/{d}"),
        ("/m/7/c/7", "/m/{z}/c/{d}"),
        ("/m/007/c/8", "/m/{z}/c/{d}"),
        ("/m/7/deep/down", "/m/{z}/deep/{path}"),
        ("/m/7/nothing", "/m/{z}/{path}"),
        ("/static/logo.png", "/static/{path}"),
        ("/nothing", UNMATCHED),
    ],
)
async def test_starlette(asked: str, route: str) -> None:
    assert await asgi_route(STARLETTE, asked) == route


SECRET = "alice@example.org"


def mounts_of(route: str, mounts: tuple[str, ...], kind: type[Any]) -> Any:
    """Return an app with a route below mounts within each other, of either kind of app."""
    app = kind(routes=[Route(route, plain)])
    for mount in reversed(mounts):
        app = kind(routes=[Mount(mount, app=app)])
    return app


@pytest.mark.parametrize("kind", [Starlette, Router, FastAPI])
@pytest.mark.parametrize(
    ("mounts", "route", "asked"),
    [
        (("/t/{id}",), "/o/{id}", f"/t/{SECRET}/o/7"),
        (("/t/{id}",), "/o/{id}", f"/t/{SECRET}/o/{SECRET}"),
        (("/t/{id}", "/u/{id}"), "/o/{id}", f"/t/{SECRET}/u/7/o/8"),
        (("/t/{a}", "/{b}"), "/o", f"/t/t/{SECRET}/o"),
        (("/{a}", "/{b}"), "/o", f"/{SECRET}/{SECRET}/o"),
        (("", "/t/{id}", ""), "/o/{id}", f"/t/{SECRET}/o/7"),
        (("/t/{id}-x",), "/o/{id}", f"/t/{SECRET}-x/o/7"),
        (("/plain", "/t/{n:int}"), "/o/{n}", "/plain/t/0017/o/8"),
    ],
)
async def test_mounts_show_their_templates_whatever_their_parameters_are_called(
    kind: type[Any], mounts: tuple[str, ...], route: str, asked: str
) -> None:
    """Law: a route is a template, also where a mount and its route use one name for two values."""
    said = "".join(mounts).replace("{n:int}", "{n}") + route
    app = mounts_of(route, mounts, kind)
    assert await asgi_route(app, asked) == said
    hosted = Starlette(routes=[Host("localhost", app=app)])
    assert await asgi_route(hosted, asked) == said


@pytest.mark.parametrize("asked", [f"/t/{SECRET}/o/7", f"/t/{SECRET}/u/{SECRET}/nothing"])
async def test_a_mount_that_hides_what_is_within_shows_nothing_of_the_path(asked: str) -> None:
    inner = Starlette(routes=[Mount("/u/{id}", routes=INNER), Route("/o/{id}", plain)])

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    route = await asgi_route(Starlette(routes=[Mount("/t/{id}", app=around)]), asked)
    assert SECRET not in route
    assert route in {"/t/{id}/o/{id}", "/{mount}/{path}", "/t/{id}/{path}"}


async def test_a_greedy_mount_shows_its_template() -> None:
    app = Starlette(routes=[Mount("/{p:path}", app=PlainTextResponse("x"))])
    assert await asgi_route(app, f"/a/{SECRET}/c") == "/{p}/{path}"


async def test_mounts_within_each_other_are_bounded() -> None:
    app: Any = mounts_of("/o", ("/{a}",) * 40, Starlette)
    assert await asgi_route(app, f"/{SECRET}" * 40 + "/o") == "/{mount}/o"


async def test_a_mount_of_litestar_shows_nothing_of_the_path() -> None:
    @litestar.asgi("/static", is_mount=True, copy_scope=False)
    async def files(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("x")(scope, receive, send)

    @litestar.get("/f/{rest:path}", sync_to_thread=False)
    def rest(rest: Annotated[str, PathParameter()]) -> str:
        return rest

    app = litestar.Litestar([files, rest])
    # Litestar says nothing of mounts yet.
    assert await asgi_route(app, f"/static/{SECRET}/x") in {"/static", UNMATCHED}
    assert await asgi_route(app, f"/f/{SECRET}/x") == "/f/{rest}"


def fastapi_app() -> FastAPI:
    inner = APIRouter(prefix="/inner")
    middle = APIRouter()
    app, below = FastAPI(), FastAPI()

    @inner.get("/x/{a}")
    def x(a: str) -> str:
        return a

    @app.get("/items/{item:path}")
    def items(item: str) -> str:
        return item

    @below.get("/s/{b}")
    def s(b: str) -> str:
        return b

    middle.include_router(inner, prefix="/mid")
    app.include_router(middle, prefix="/outer/{tenant}")
    app.mount("/sub", below)
    app.mount("/of/{tenant}", below)
    app.mount("/star", STARLETTE)
    return app


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("/items/3/4/5", "/items/{item}"),
        ("/outer/acme/mid/inner/x/9", "/outer/{tenant}/mid/inner/x/{a}"),
        ("/sub/s/5", "/sub/s/{b}"),
        ("/of/acme/s/5", "/of/{tenant}/s/{b}"),
        ("/sub/nothing", "/sub/{path}"),
        ("/of/acme/nothing", "/of/{tenant}/{path}"),
        ("/star/a/4", "/star/a/{b}"),
        ("/docs", "/docs"),
        ("/nothing", UNMATCHED),
    ],
)
async def test_fastapi(asked: str, route: str) -> None:
    assert await asgi_route(fastapi_app(), asked) == route


@pytest.mark.parametrize(
    ("asked", "route"),
    [("/r/l/abc", "/r/l/{q}"), ("/r/plain", "/r/plain"), ("/r/nothing", UNMATCHED)],
)
async def test_litestar(asked: str, route: str) -> None:
    @litestar.get("/l/{q:str}", sync_to_thread=False)
    def with_parameter(q: Annotated[str, PathParameter()]) -> str:
        return q

    @litestar.get("/plain", sync_to_thread=False)
    def without() -> str:
        return "x"

    app = litestar.Litestar([litestar.Router("/r", route_handlers=[with_parameter, without])])
    assert await asgi_route(app, asked) == route


@pytest.mark.parametrize(("asked", "route"), [("/q/3", "/q/<int:n>"), ("/q/x", UNMATCHED)])
async def test_quart(asked: str, route: str) -> None:
    app = quart.Quart("q")

    @app.get("/q/<int:n>")
    async def with_parameter(n: int) -> str:
        return str(n)

    watch_routes()
    assert await asgi_route(app, asked) == route


@pytest.mark.parametrize(
    ("asked", "route"), [("/f/3", "/f/<int:n>"), ("/b/x", "/b/<name>"), ("/f/x", UNMATCHED)]
)
@pytest.mark.parametrize("is_known", [True, False])
def test_flask(asked: str, route: str, is_known: bool) -> None:  # noqa: FBT001  A parameter.
    app = flask.Flask("f")
    blue = flask.Blueprint("blue", "f", url_prefix="/b")

    @app.get("/f/<int:n>")
    def with_parameter(n: int) -> str:
        return str(n)

    @blue.get("/<name>")
    def named(name: str) -> str:
        return name

    app.register_blueprint(blue)
    for _ in range(2):
        watch_routes(app if is_known else None)
    assert len(app.before_request_funcs.get(None, [])) == is_known
    assert wsgi_route(app, asked) == route
    mounted = DispatcherMiddleware(flask.Flask("outer"), {"/below": app})
    watch_routes(mounted)
    below = route if route == UNMATCHED else f"/below{route}"
    assert wsgi_route(mounted, f"/below{asked}") == below


def test_flask_below_a_part_of_the_path_that_somebody_cut_off() -> None:
    """Law: what is no template for sure is none; a tenant's name makes no series."""
    app = flask.Flask("f")

    @app.get("/orders/<n>")
    def with_parameter(n: str) -> str:
        return n

    def by_tenant(environ: dict[str, Any], start: Any) -> Any:
        _, tenant, rest = environ["PATH_INFO"].split("/", 2)
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = f"/{tenant}", f"/{rest}"
        return app(environ, start)

    watch_routes()
    assert wsgi_route(by_tenant, "/alice/orders/7") == "/{mount}/orders/<n>"
    inner = DispatcherMiddleware(flask.Flask("inner"), {"/v1": app})
    outer = DispatcherMiddleware(flask.Flask("outer"), {"/api": inner})
    watch_routes(outer)
    assert wsgi_route(outer, "/api/v1/orders/7") == "/api/v1/orders/<n>"


DJANGO = """
import asyncio, django, json, sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import include, path, re_path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", LOGGING_CONFIG=None)
django.setup()

def view(request, **parameters):
    return HttpResponse("ok")

urlpatterns = [
    path("articles/<int:year>/", view),
    path("shop/", include([path("<slug:item>", view)])),
    re_path(r"^old/(?P<number>[0-9]+)$", view),
]

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from tests.telemetry.test_route import asgi_route, wsgi_route

asked = ["/articles/2026/", "/shop/sail", "/old/7", "/nothing"]
asgi, wsgi = get_asgi_application(), get_wsgi_application()

async def over_asgi():
    return [await asgi_route(asgi, one) for one in asked]

print(json.dumps([asyncio.run(over_asgi()), [wsgi_route(wsgi, one) for one in asked]]))
"""


def test_django_over_asgi_and_wsgi() -> None:
    """In a process of its own: its settings are one for all, and made once."""
    done = subprocess.run(
        [sys.executable, "-c", DJANGO], cwd=ROOT, check=True, capture_output=True, text=True,
        timeout=100,
    )  # fmt: skip
    routes = ["/articles/<int:year>/", "/shop/<slug:item>", "/^old/(?P<number>[0-9]+)$", UNMATCHED]
    assert json.loads(done.stdout) == [routes, routes]


def test_what_an_app_says_itself_is_what_holds() -> None:
    assert (
        route_of(exchange({ROUTE_KEY: "/mine/{x}", "path_template": "/other"}, "/x")) == "/mine/{x}"
    )


def test_what_was_found_is_kept_and_what_was_not_is_looked_for_again() -> None:
    scope: dict[str, Any] = {"path_params": {}}
    assert matched_route(exchange(scope, "/x")) is None
    assert ROUTE_KEY not in scope
    scope["path_template"] = "/a/{b}"
    assert matched_route(exchange(scope, "/x")) == "/a/{b}"
    assert scope[ROUTE_KEY] == "/a/{b}"


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"route": object()},
        {"route": None, "path_template": ""},
        {"router": object()},
        {"router": object(), "endpoint": object()},
        {"app": None, "endpoint": []},
        {"werkzeug.request": object()},
    ],
)
def test_a_scope_of_nobody_we_know_is_unmatched(scope: dict[str, Any]) -> None:
    """Some other framework, or one of another version."""
    assert route_of(exchange({"path_params": {}, **scope}, "/x")) == UNMATCHED
