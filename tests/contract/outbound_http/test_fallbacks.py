"""What stands in for an answer: the last good one, or what the user says."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.drivers import DRIVERS, Aiohttp, HttpxAsync, HttpxSync, Requests
from tests.contract.outbound_http.server import Act, Server, answer, chunks, reset

from mainstay import Breaker, Bulkhead, Fallback, Policy
from mainstay.core.errors import MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.adapters.http_clients.options import Http

# Those whose responses can be made by others.
KINDS = [kind for kind in DRIVERS if not kind.startswith("aiohttp")]
makeable = pytest.mark.parametrize("kind", KINDS, indirect=True)


def falling(fallback: Fallback) -> Policy:
    return Policy(name="catalog", bulkhead=Bulkhead(limit=8), fallback=fallback)


LAST = Fallback(last_good=3)


@pytest.mark.parametrize("failure", [reset, answer(503, b"busy")], ids=["broken", "503"])
def test_the_last_good_answer_stands_in(failure: Act, connect: Connect, server: Server) -> None:
    """As often as it must, and however its callers change theirs."""
    server.on("/a", answer(200, b"good", X_Kind="one"), failure)
    client = connect(falling(LAST), server.url)
    answers = [client.request("GET", "/a") for _ in range(3)]
    assert {(one.status, one.body) for one in answers} == {(200, b"good")}
    assert server.count("/a") >= 3


def test_it_stands_in_while_the_circuit_is_open(connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b"good"), reset)
    policy = Policy(bulkhead=Bulkhead(), breaker=Breaker(failures=1), fallback=LAST)
    client = connect(policy, server.url)
    assert [client.request("GET", "/a").body for _ in range(4)] == [b"good"] * 4
    assert policy.stats().state == "open"


def test_it_answers_the_same_question_alone(connect: Connect, server: Server) -> None:
    """Who asks, and for what, is part of the question."""
    server.on("/a", answer(200, b"good"), reset)
    server.on("/b", reset)
    client = connect(falling(LAST), server.url)
    ann = {"Authorization": "Bearer ann", "X-Request-Id": "1"}
    assert client.request("GET", "/a", headers=ann).body == b"good"
    for method, path, headers in (
        ("GET", "/b", ann),
        ("GET", "/a", {"Authorization": "Bearer bob"}),
        ("GET", "/a", {**ann, "Accept-Language": "nl"}),
        ("GET", "/a", {**ann, "baggage": "user=bob"}),
        ("DELETE", "/a", ann),
    ):
        with pytest.raises(ConnectionLost):
            client.request(method, path, headers=headers)
    assert client.request("GET", "/a", headers={**ann, "X-Request-Id": "2"}).body == b"good"


def asking(driver: Any, **options: Any) -> bytes:
    """Return the body of an answer to a GET of /a with options of the client's own."""
    if isinstance(driver, Requests):
        return driver.session.request("GET", "/a", **options).content
    if isinstance(driver, HttpxSync):
        return driver.client.request("GET", "/a", **options).content
    answer: bytes = driver.run(driver._request("GET", "/a", **options)).body
    return answer


def others(driver: Any, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield options each of which makes the caller or the peer another, in the client's words."""
    if isinstance(driver, HttpxSync | HttpxAsync):
        yield {"extensions": {"sni_hostname": "catalog.internal"}}
        yield {"extensions": {"target": b"/b"}}
        return
    if isinstance(driver, Aiohttp):
        yield {"ssl": ssl.create_default_context()}
        yield {"ssl": False}
        yield {"server_hostname": "catalog.internal"}
        return
    for name in ("ann.pem", "bob.pem"):
        (folder / name).touch()
        yield {"cert": str(folder / name)}
        yield {"cert": (str(folder / name), str(folder / name))}
    yield {"verify": False}
    yield {"proxies": {"ftp": "http://127.0.0.1:1"}}


def test_certificates_and_what_else_is_no_header_are_part_of_the_question(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    """Nobody gets the answer to who has another certificate, nor that of another peer."""
    server.on("/a", answer(200, b"good"), reset)
    server.on("/b", reset)
    client = connect(falling(LAST), server.url)
    assert asking(client) == b"good"
    for options in others(client, tmp_path):
        with pytest.raises(ConnectionLost):
            asking(client, **options)
        assert asking(client) == b"good"


def test_an_answer_to_a_certificate_stands_in_for_the_same_one(
    connect: Connect, server: Server, tmp_path: Path
) -> None:
    client = connect(falling(LAST), server.url)
    for options in others(client, tmp_path):
        if "target" not in options.get("extensions", {}):
            server.on("/a", answer(200, b"good"), reset)
            assert [asking(client, **options) for _ in range(2)] == [b"good"] * 2


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.startswith("httpx")], indirect=True
)
def test_what_nobody_can_compare_is_not_kept(connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b"good"), reset)
    client = connect(falling(LAST), server.url)
    odd: Any = {"extensions": {"own": bytearray(b"who knows")}}
    assert asking(client, **odd) == b"good"
    with pytest.raises(ConnectionLost):
        asking(client, **odd)


def test_sessions_of_one_middleware_have_answers_of_their_own(server: Server) -> None:
    """The certificate of a session of aiohttp is its connector's."""
    server.on("/a", answer(200, b"good"), reset)
    one = Aiohttp(falling(LAST), Http(base_url=server.url))
    two = Aiohttp(falling(LAST), Http(base_url=server.url))
    two.session._middlewares = one.session._middlewares
    try:
        assert asking(one) == b"good"
        with pytest.raises(ConnectionLost):
            asking(two)
    finally:
        one.close()
        two.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_what_changes_something_has_none(method: str, connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b"done"), reset)
    client = connect(falling(LAST), server.url)
    assert client.request(method, "/a", headers={"Idempotency-Key": "k"}).body == b"done"
    with pytest.raises(ConnectionLost):
        client.request(method, "/a", headers={"Idempotency-Key": "k"})


@pytest.mark.parametrize(
    "first",
    [
        answer(200, b"x" * 65_537),
        answer(404, b"none"),
        answer(200, b"mine", Cache_Control="private, no-store"),
    ],
    ids=["large", "404", "no-store"],
)
def test_not_every_answer_is_kept(first: Act, connect: Connect, server: Server) -> None:
    server.on("/a", first, reset)
    client = connect(falling(LAST), server.url)
    client.request("GET", "/a")
    with pytest.raises(ConnectionLost):
        client.request("GET", "/a")


def test_a_stream_is_not_kept(connect: Connect, server: Server) -> None:
    server.on("/a", chunks(b"one", b"two"), reset)
    policy = falling(LAST)
    client = connect(policy, server.url)
    stream = client.stream("/a")
    while stream.part():
        pass
    stream.close()
    with pytest.raises(MainstayError):
        client.stream("/a")
    assert policy.stats().in_flight == 0


def response_of(kind: str, text: str) -> httpx.Response | requests.Response:
    if kind != "requests":
        return httpx.Response(200, text=text)
    made = requests.Response()
    made.status_code = 200
    made._content = text.encode()  # The library has no other way.
    return made


@makeable
def test_a_response_stands_in(kind: str, connect: Connect, server: Server) -> None:
    server.on("/a", reset)
    client = connect(falling(Fallback(value=response_of(kind, "fallen back"))), server.url)
    for _ in range(2):
        found = client.request("POST", "/a")
        assert (found.status, found.body) == (200, b"fallen back")


@makeable
@pytest.mark.parametrize("by", ["value", "function"])
def test_a_function_makes_one_from_the_request(
    by: str, kind: str, connect: Connect, server: Server
) -> None:
    def made(request: httpx.Request | requests.PreparedRequest) -> object:
        return response_of(kind, f"instead of {str(request.url).removeprefix(server.url)}")

    server.on("/a", reset)
    fallback = Fallback(value=made) if by == "value" else Fallback(function=made)
    client = connect(falling(fallback), server.url)
    assert client.request("GET", "/a").body == b"instead of /a"


@pytest.mark.parametrize("value", [None, {"a": 1}])
def test_what_is_no_response_is_told(value: object, connect: Connect, server: Server) -> None:
    server.on("/a", reset)
    client = connect(falling(Fallback(value=value)), server.url)
    with pytest.raises(PolicyMisused, match="Response, or a function that makes one"):
        client.request("GET", "/a")


def test_a_key_of_ones_own_is_made_from_the_request(connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b"good"), reset)
    one_for_all = Fallback(last_good=1, key=lambda request: str(request.url))
    client = connect(falling(one_for_all), server.url)
    client.request("GET", "/a", headers={"X-Who": "ann"})
    assert client.request("GET", "/a", headers={"X-Who": "bob"}).body == b"good"


def test_clients_share_no_answers(kind: str, server: Server) -> None:
    """They may differ in who they are by what is not in a request, such as a certificate."""
    server.on("/a", answer(200, b"good"), reset)
    policy = falling(LAST)
    one, two = (DRIVERS[kind](policy, Http(base_url=server.url)) for _ in range(2))
    try:
        assert one.request("GET", "/a").body == b"good"
        with pytest.raises(ConnectionLost):
            two.request("GET", "/a")
        assert one.request("GET", "/a").body == b"good"
    finally:
        one.close()
        two.close()


def test_a_kept_answer_of_aiohttp_is_read_like_any_other(server: Server) -> None:
    """By its content, its text and in parts, each caller from the beginning."""
    server.on("/a", answer(200, b'{"a": 1}', X_Kind="one", Content_Type="application/json"), reset)
    driver = Aiohttp(falling(LAST), Http(base_url=server.url))

    async def read() -> None:
        for _ in range(3):
            async with driver.session.get("/a") as found:
                assert await found.content.readexactly(4) == b'{"a"'
                assert await found.content.read() == b": 1}"
            async with driver.session.get("/a") as found:
                assert await found.json() == {"a": 1}
                assert (found.headers["X-Kind"], found.content.at_eof()) == ("one", True)

    driver.run(read())
    driver.close()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_without_a_body_is_kept(method: str, connect: Connect, server: Server) -> None:
    server.on("/a", answer(200, b""), reset)
    client = connect(falling(LAST), server.url)
    assert [client.request(method, "/a").body for _ in range(2)] == [b"", b""]
