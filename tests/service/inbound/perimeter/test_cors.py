"""CORS: which origins may, what preflights are told, and what caches have to know."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.inbound.perimeter.exchanges import make_exchange

from mainstay.service.inbound.perimeter.cors import CrossOrigin
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.perimeter import Cors

ORIGINS = ("https://shop.example", "https://*.shop.example", "http://*.dev.example:3000")
NAMED = CrossOrigin(Cors(origins=ORIGINS, credentials=True))
ANY = CrossOrigin(Cors(origins=("*",)))


@pytest.mark.parametrize(
    "origin",
    [
        b"https://shop.example",
        b"https://eu.shop.example",
        b"https://a.b.shop.example",
        b"http://x.dev.example:3000",
    ],
)
def test_declared_origins_may(origin: bytes) -> None:
    assert NAMED.allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"*",
        b"http://shop.example",
        b"https://shop.example:8443",
        b"https://shop.example.evil.com",
        b"https://evilshop.example",
        b"https://evil.com/.shop.example",
        b"https://evil.com?.shop.example",
        b"https://evil.com#.shop.example",
        b"https://evil.com\\.shop.example",
        b"https://user@.shop.example",
        b"https://evil.com:443.shop.example",
        b"https://.shop.example",
        b"https://a..shop.example",
        b"https://EU.shop.example",
        b"https://eu.shop.example\n",
        b"https://eu.shop.example, https://evil.com",
        b"http://x.dev.example",
        b"https://" + b"a." * 200 + b"shop.example",
    ],
)
def test_other_origins_may_not(origin: bytes) -> None:
    assert not NAMED.allows(origin)


def test_null_may_only_where_it_is_named() -> None:
    assert CrossOrigin(Cors(origins=("null",))).allows(b"null")


def preflight(cors: CrossOrigin, origin: bytes | None, method: bytes | None = b"PUT") -> object:
    headers = {b"origin": origin, b"access-control-request-method": method}
    given = {name: value for name, value in headers.items() if value is not None}
    return cors.preflight(make_exchange(given, method="OPTIONS"))


def test_an_allowed_preflight_is_told_everything_once() -> None:
    answer = preflight(NAMED, b"https://eu.shop.example")
    assert isinstance(answer, Preflight)
    assert answer.status == 204
    assert dict(answer.headers) == {
        b"access-control-allow-origin": b"https://eu.shop.example",
        b"access-control-allow-credentials": b"true",
        b"access-control-allow-methods": b"GET, HEAD, POST, PUT, PATCH, DELETE",
        b"access-control-allow-headers": b"Authorization, Content-Type, Idempotency-Key, "
        b"X-Request-ID, traceparent, tracestate",
        b"access-control-max-age": b"600",
        b"vary": b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }


def test_a_refused_preflight_is_a_problem_that_caches_keep_apart() -> None:
    answer = preflight(NAMED, b"https://evil.com")
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.kind) == (403, "origin-not-allowed")
    names = {name for name, _ in answer.headers}
    assert names == {b"vary"}
    assert b"Origin" in dict(answer.headers)[b"vary"]


def test_every_origin_gets_a_star_and_no_credentials() -> None:
    answer = preflight(ANY, b"null")
    assert isinstance(answer, Preflight)
    headers = dict(answer.headers)
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in headers
    assert (b"access-control-allow-origin", b"*") in ANY.always


@pytest.mark.parametrize("cors", [NAMED, ANY])
@pytest.mark.parametrize(("origin", "method"), [(None, b"PUT"), (b"https://shop.example", None)])
def test_an_options_request_that_is_no_preflight_is_the_apps(
    cors: CrossOrigin, origin: bytes | None, method: bytes | None
) -> None:
    assert preflight(cors, origin, method) is None


def test_lists_that_are_empty_send_no_header() -> None:
    cors = CrossOrigin(Cors(origins=("https://a.example",), expose=(), headers=()))
    assert cors.granted(b"https://a.example") == (
        (b"access-control-allow-origin", b"https://a.example"),
    )
    answer = preflight(cors, b"https://a.example")
    assert isinstance(answer, Preflight)
    assert b"access-control-allow-headers" not in dict(answer.headers)


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.text("htps:/.shopexamldv30*@#?,null \t\r\n\0", max_size=60).map(str.encode),
    st.text("ab.-_@/:#?", max_size=12).map(lambda mid: f"https://{mid}.shop.example".encode()),
)


@settings(max_examples=2000, deadline=None)
@given(HOSTILE, st.binary(max_size=40))
def test_any_origin_is_answered_and_only_ours_is_granted(origin: bytes, method: bytes) -> None:
    answer = preflight(NAMED, origin, method)
    if isinstance(answer, Preflight):
        host = origin.partition(b"://")[2].partition(b":")[0]
        assert host.endswith((b"shop.example", b".dev.example"))
        assert not set(b"/@?#, \r\n") & set(host)
        assert dict(answer.headers)[b"access-control-allow-origin"] == origin
    else:
        assert isinstance(answer, Refusal)
