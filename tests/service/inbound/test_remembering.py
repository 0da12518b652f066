"""Keys and sessions within the whole wrapper: both shells, as a declaration turns them on."""

import asyncio
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from mainstay.service.inbound.idempotency.attempt import idempotency
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.sessions.memory import MemorySessions
from mainstay.service.inbound.sessions.session import session as its_session
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.sessions import Session

KEY = (b"idempotency-key", b'"8e03978e-40d5-43dd-bc93-6894a57f9324"')
SIGNING = Secret("${file:key}", "a signing key of thirty-two letters")


class MemoryStores:
    """Implements ``Stores``."""

    def __init__(self) -> None:
        self.kept = MemoryRecords()
        self.remembered = MemorySessions()

    def limits(self, url: str) -> Any:
        raise AssertionError(url)

    def records(self, url: str) -> MemoryRecords:
        return self.kept

    def sessions(self, url: str) -> MemorySessions:
        return self.remembered

    def breakers(self, url: str) -> Any:
        raise AssertionError(url)

    def close(self) -> None:
        self.kept = MemoryRecords()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Shell:
    """One of both shells around an app that counts, and does as its path says."""

    def __init__(self) -> None:
        inbound = Inbound(
            deadline_s=5.0,
            idempotency=Idempotency(store="cache"),
            session=Session(store="cache", keys=(SIGNING,)),
            access_log=False,
        )
        cache = Dependency(url="redis://127.0.0.1:1")
        declaration = Declaration(
            service="shop", app="shop:app", inbound=inbound, dependencies=(("cache", cache),)
        )
        self.service = Service(declaration, stores=MemoryStores(), environ={})
        self.seen: list[Any] = []

    def ask(self, path: str, *headers: tuple[bytes, bytes], query: str = "") -> Reply:
        raise NotImplementedError

    def close(self) -> None:
        keys = self.service._inbound.idempotency
        assert keys is not None
        keys.close()


class AsgiSide(Shell):
    def __init__(self) -> None:
        super().__init__()
        self.shell = self.service.asgi(self.app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.seen.append(idempotency())
        if scope["path"] == "/visit":
            session = await its_session()
            session["visits"] = session.get("visits", 0) + 1
        if scope["path"] == "/login":
            session = await its_session()
            session.bind(scope["query_string"].decode())
        if scope["path"] == "/slow":
            await asyncio.Event().wait()
        if scope["path"] == "/raises":
            raise LookupError("inner")
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % len(self.seen)})

    def ask(self, path: str, *headers: tuple[bytes, bytes], query: str = "") -> Reply:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "POST", "path": path, "http_version": "1.1",
            "client": ("192.0.2.7", 5), "query_string": query.encode(), "headers": list(headers),
            "scheme": "https",
        }  # fmt: skip
        asyncio.run(self.shell(scope, receive, send))
        named = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
        body = b"".join(one.get("body", b"") for one in sent[1:])
        return Reply(sent[0]["status"], named, body)


class WsgiSide(Shell):
    def __init__(self) -> None:
        super().__init__()
        self.shell = self.service.wsgi(self.app)

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.seen.append(idempotency())
        if environ["PATH_INFO"] == "/visit":
            session = its_session()
            session["visits"] = session.get("visits", 0) + 1
        if environ["PATH_INFO"] == "/login":
            its_session().bind(environ["QUERY_STRING"])
        if environ["PATH_INFO"] == "/raises":
            raise LookupError("inner")
        start_response("201 Created", [])
        return [b"%d" % len(self.seen)]

    def ask(self, path: str, *headers: tuple[bytes, bytes], query: str = "") -> Reply:
        got: list[Any] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            got[:] = [int(status[:3]), headers]

        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": query,
            "REMOTE_ADDR": "192.0.2.7", "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0",
            "wsgi.url_scheme": "https", "SERVER_PROTOCOL": "HTTP/1.1",
        }  # fmt: skip
        for name, value in headers:
            environ["HTTP_" + name.decode().upper().replace("-", "_")] = value.decode()
        parts = self.shell(environ, start_response)
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        return Reply(got[0], {k.lower(): v for k, v in got[1]}, body)


@pytest.fixture(params=[AsgiSide, WsgiSide])
def side(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    yield made
    made.close()


def kind_of(reply: Reply) -> str:
    assert reply.headers["content-type"] == "application/problem+json"
    document = json.loads(reply.body)
    assert document["status"] == reply.status
    return str(document["type"]).rpartition("/")[2].rpartition(":")[2].rpartition("#")[2]


def test_a_repetition_gets_the_first_answer(side: Shell) -> None:
    first, again = side.ask("/", KEY), side.ask("/", KEY)
    assert (first.status, first.body) == (again.status, again.body) == (201, b"1")
    assert again.headers["idempotency-replayed"] == "true"
    assert len(side.seen) == 1
    assert side.ask("/").body == b"2"
    assert side.seen[1] is None


def test_a_refusal_is_a_problem_document(side: Shell) -> None:
    side.ask("/", KEY)
    assert kind_of(side.ask("/other", KEY)) == "idempotency-mismatch"
    assert kind_of(side.ask("/", (b"idempotency-key", b'"'))) == "header-invalid"


def test_after_an_error_the_work_is_done_again(side: Shell) -> None:
    assert side.ask("/raises", KEY).status == 500
    assert side.ask("/raises", KEY).status == 500
    assert len(side.seen) == 2


def test_a_session_goes_from_request_to_request(side: Shell) -> None:
    cookie = side.ask("/visit").headers["set-cookie"].partition(";")[0].encode()
    side.ask("/visit", (b"cookie", cookie))
    stores: Any = side.service._inbound.sessions
    (row,) = stores._records._rows.values()
    assert row.fields == {"visits": "2"}


def test_a_session_within_a_request_with_a_key_is_changed_once(side: Shell) -> None:
    first = side.ask("/visit", KEY)
    again = side.ask("/visit", KEY)
    assert "set-cookie" in first.headers
    # Credentials are given once.
    assert "set-cookie" not in again.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_two_sessions_behind_one_address_never_share_a_key(side: Shell) -> None:
    """Cookies say who asks, and it is not for a neighbour to see the answer."""
    ada, bob = (
        (b"cookie", side.ask("/visit").headers["set-cookie"].partition(";")[0].encode())
        for _ in range(2)
    )
    first, others = side.ask("/", KEY, ada), side.ask("/", KEY, bob)
    assert "idempotency-replayed" not in others.headers
    assert others.body != first.body
    # Nor where all of them send one password for the whole site.
    password = (b"authorization", b"Basic c2l0ZTpzaXRl")
    assert "idempotency-replayed" not in side.ask("/", KEY, ada, password).headers
    assert "idempotency-replayed" not in side.ask("/", KEY, bob, password).headers
    again = side.ask("/", KEY, ada)
    assert (again.headers["idempotency-replayed"], again.body) == ("true", first.body)


def test_a_user_who_signs_in_again_still_has_the_key(side: Shell) -> None:
    old, new, other = (
        (
            b"cookie",
            side.ask("/login", query=user).headers["set-cookie"].partition(";")[0].encode(),
        )
        for user in ("ada", "ada", "bob")
    )
    first = side.ask("/", KEY, old)
    assert side.ask("/", KEY, new).body == first.body
    assert side.ask("/", KEY, other).body != first.body


def test_a_user_may_be_a_number_and_nobody_is_told_apart_by_what_is_declared(side: Shell) -> None:
    users: dict[bytes | None, int | str] = {b"a": 1, b"b": 2, b"n": ""}
    side.service.limit_key("user")(lambda exchange: users.get(exchange.get(b"who")))
    one, two, nobody = (b"who", b"a"), (b"who", b"b"), (b"who", b"n")
    bodies = [side.ask("/", KEY, who).body for who in (one, two, one, nobody)]
    assert bodies == [b"1", b"2", b"1", b"3"]
    assert side.ask("/", KEY).body == b"3"
    assert side.ask("/", KEY, nobody, (b"authorization", b"Bearer x")).body == b"4"


def test_a_cookie_that_nobody_signed_is_no_credential(side: Shell) -> None:
    """Else whoever makes one up would pass for somebody new at each attempt."""
    side.ask("/", KEY)
    forged = (b"cookie", b"__Host-session=" + b"A" * 86)
    # Nor does it get what somebody without it has got: other cookies may be somebody else's.
    assert kind_of(side.ask("/", KEY, forged)) == "idempotency-answer-not-kept"
    assert len(side.seen) == 1


def test_work_that_the_deadline_cuts_off_is_not_done_again() -> None:
    side = AsgiSide()
    # Without its thread: it is turned by hand.
    side.close()
    assert side.ask("/slow", KEY, (b"x-request-timeout", b"0.05")).status == 504
    keys = side.service._inbound.idempotency
    assert keys is not None
    keys.keeper.turn()
    assert kind_of(side.ask("/slow", KEY)) == "idempotency-unknown"
    assert len(side.seen) == 1
