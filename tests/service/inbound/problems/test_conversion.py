"""What the frameworks' own errors become: asked of the frameworks themselves."""

import asyncio
import json
from typing import Annotated, Any, NoReturn

import pytest
from pydantic import BaseModel, SecretStr

from mainstay.service.inbound.problems.conversion import is_convertible, is_unhandled
from mainstay.service.inbound.problems.problem import Problems
from mainstay.spec.perimeter import PROBLEM_TYPES

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
INVALID = PROBLEM_TYPES + "input-invalid"

Answer = tuple[int, str | None, bytes]


class Order(BaseModel):
    """A body with faults to find."""

    item: str
    count: int
    password: SecretStr


def problem(answer: Answer) -> dict[str, Any]:
    """Return the document that an app's answer becomes. Any: JSON."""
    status, content_type, body = answer
    assert is_convertible(status, content_type)
    document = Problems().convert(status, content_type, body, TRACE_ID, None)
    assert document is not None
    found: dict[str, Any] = json.loads(document)
    assert found.pop("status") == status
    assert found.pop("trace_id") == TRACE_ID
    return found


def asked_asgi(app: Any, path: str, body: bytes | None = None, query: bytes = b"") -> Answer:
    """Ask an ASGI app once, without a server. Any: each framework has its own type."""
    got: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if body is None else "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"shop"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    messages = [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(message: dict[str, Any]) -> None:
        got.append(dict(message))

    asyncio.run(app(scope, receive, send))
    headers = {bytes(name).lower(): bytes(value) for name, value in got[0]["headers"]}
    media = headers.get(b"content-type")
    whole = b"".join(bytes(message.get("body", b"")) for message in got[1:])
    return got[0]["status"], None if media is None else media.decode(), whole


def test_fastapi_lists_every_fault_and_never_the_input() -> None:
    from fastapi import FastAPI, Header, Query

    app = FastAPI()

    @app.post("/orders/{number}")
    def order(
        number: int,
        order: Order,
        limit: Annotated[int, Query(le=10)],
        x_tenant: Annotated[str, Header()],
    ) -> None:
        raise AssertionError("its input is not valid")

    body = b'{"item": 5, "count": "hunter2"}'
    found = problem(asked_asgi(app, "/orders/x", body, b"limit=hunter2"))
    assert found["type"] == INVALID
    assert found["title"] == "The input is not valid"
    assert "hunter2" not in json.dumps(found)
    places = {(one["in"], one.get("pointer", one.get("name"))) for one in found["errors"]}
    assert places == {
        ("path", "number"),
        ("query", "limit"),
        ("header", "x-tenant"),
        ("body", "#/item"),
        ("body", "#/count"),
        ("body", "#/password"),
    }
    assert all(one["detail"] for one in found["errors"])


def test_fastapi_sentences_and_members_stay() -> None:
    from fastapi import FastAPI, HTTPException

    app = FastAPI()

    @app.get("/gone")
    def gone() -> None:
        raise HTTPException(410, "The order was cancelled.")

    @app.get("/stock")
    def stock() -> None:
        raise HTTPException(409, {"code": "stock", "left": 3, "message": "Only three are left."})

    assert problem(asked_asgi(app, "/gone")) == {
        "type": "about:blank",
        "title": "Gone",
        "detail": "The order was cancelled.",
    }
    assert problem(asked_asgi(app, "/stock")) == {
        "type": "about:blank",
        "title": "Conflict",
        "detail": "Only three are left.",
        "code": "stock",
        "left": 3,
    }
    assert problem(asked_asgi(app, "/none")) == {"type": "about:blank", "title": "Not Found"}


def test_starlette_texts_are_the_title_already() -> None:
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.routing import Route

    async def late(request: Request) -> None:
        raise HTTPException(409, "Somebody else was faster.")

    app = Starlette(routes=[Route("/late", late)])
    assert problem(asked_asgi(app, "/none")) == {"type": "about:blank", "title": "Not Found"}
    assert problem(asked_asgi(app, "/late"))["detail"] == "Somebody else was faster."


def test_litestar_lists_every_fault() -> None:
    from litestar import Litestar, get
    from litestar.params import QueryParameter

    @get("/list")
    async def listed(limit: Annotated[int, QueryParameter()]) -> None:
        raise AssertionError("its input is not valid")

    app = Litestar([listed])
    found = problem(asked_asgi(app, "/list", query=b"limit=hunter2"))
    assert found["type"] == INVALID
    assert [(one["in"], one["name"]) for one in found["errors"]] == [("query", "limit")]
    assert "status_code" not in found
    assert problem(asked_asgi(app, "/none")) == {"type": "about:blank", "title": "Not Found"}


def test_flask_keeps_its_sentence_and_no_html() -> None:
    from flask import Flask, abort

    app = Flask("shop")

    @app.get("/gone")
    def gone() -> NoReturn:
        abort(410, "The order <5> was cancelled.")

    client = app.test_client()
    for path, detail in (("/gone", "The order <5> was cancelled."), ("/none", "The requested URL")):
        answer = client.get(path)
        found = problem((answer.status_code, answer.content_type, answer.data))
        assert found["detail"].startswith(detail)
        assert set(found) == {"type", "title", "detail"}


async def test_quart_keeps_its_sentence_and_no_html() -> None:
    from quart import Quart

    answer = await Quart("shop").test_client().get("/none")
    body = await answer.get_data(as_text=False)
    found = problem((answer.status_code, answer.content_type, body))
    assert found["detail"].startswith("The requested URL was not found")


DJANGO_404 = (
    b'\n<!doctype html>\n<html lang="en">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n'
    b"  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n"
    b"</body>\n</html>\n"
)
DEBUG_404 = (
    b"<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
    b"<p>It is</p><pre>settings.SECRET_KEY</pre>\n"
)


@pytest.mark.parametrize(
    "body",
    [
        DJANGO_404,
        DEBUG_404,
        b"x" * 100_000,
    ],
)
def test_other_pages_say_nothing(body: bytes) -> None:
    """A page of a framework in its debug mode holds paths, settings and source."""
    for media in ("text/html; charset=utf-8", "text/plain"):
        found = problem((404, media, body))
        if media.startswith("text/html") or len(body) > 1000:
            assert found == {"type": "about:blank", "title": "Not Found"}


def test_django_rest_framework_keeps_its_fields() -> None:
    body = b'{"email": ["Enter a valid email address."], "status": 400}'
    assert problem((400, "application/json", body)) == {
        "type": "about:blank",
        "title": "Bad Request",
        "email": ["Enter a valid email address."],
    }


def test_lists_and_texts_of_json() -> None:
    assert problem((400, "application/json", b'["a", "b"]'))["errors"] == ["a", "b"]
    assert problem((400, "application/json", b'"No such item."'))["detail"] == "No such item."
    assert problem((400, "application/json", b'{"detail": [1, {"a": 2}]}'))["errors"] == [
        1,
        {"a": 2},
    ]


def test_faults_are_bounded() -> None:
    faults = [{"loc": ["body", number], "msg": "wrong", "type": "x"} for number in range(500)]
    found = problem((422, "application/json", json.dumps({"detail": faults}).encode()))
    assert len(found["errors"]) == 100
    assert found["errors"][7] == {"detail": "wrong", "in": "body", "pointer": "#/7"}


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ([], {"in": "body", "pointer": "#"}),
        (["body"], {"in": "body", "pointer": "#"}),
        (["body", "a/b", "~c", "d e", "é"], {"in": "body", "pointer": "#/a~1b/~0c/d%20e/%C3%A9"}),
        (["query", "filter", 0], {"in": "query", "name": "filter.0"}),
    ],
)
def test_places_are_pointers(location: list[object], place: dict[str, str]) -> None:
    body = json.dumps({"detail": [{"loc": location, "msg": "wrong", "type": "x"}]}).encode()
    assert problem((422, "application/json", body))["errors"] == [{"detail": "wrong", **place}]


@pytest.mark.parametrize(
    ("body", "unhandled"),
    [
        (b'{"status_code":500,"detail":"Internal Server Error"}', True),
        (b"<title>Server Error (500)</title><h1>Server Error (500)</h1><p></p>", True),
        (b"<h1>Server Error (500)</h1><p>Call Ann.</p>", False),
        (b"", False),
        (b"Internal Server Error", False),
        (b"<" * 100_000, False),
    ],
)
def test_what_frameworks_say_of_an_error_that_nobody_handled(
    body: bytes, *, unhandled: bool
) -> None:
    """Nothing is lost with it; what the framework really says is in tests/contract/frameworks."""
    assert is_unhandled(body) is unhandled
