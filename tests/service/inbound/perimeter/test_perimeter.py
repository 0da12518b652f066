"""The perimeter as the shells meet it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.inbound.perimeter.exchanges import CORS, JSON, ORIGIN, dressed, make_exchange

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.perimeter import Perimeter, Preflight
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors, SecurityHeaders


def refusal_of(perimeter: Perimeter, exchange: Exchange) -> tuple[int, str] | None:
    answer = perimeter.ask(exchange)
    assert answer is None or isinstance(answer, Refusal)
    return None if answer is None else (answer.status, answer.kind)


def test_an_ordinary_request_passes() -> None:
    perimeter = Perimeter(Inbound())
    assert perimeter.ask(make_exchange()) is None
    assert perimeter.ask(make_exchange(method="OPTIONS")) is None


def test_hosts_are_looked_at_first() -> None:
    perimeter = Perimeter(Inbound(hosts=("shop.example",), cors=CORS))
    asked = {b"origin": ORIGIN, b"access-control-request-method": b"PUT"}
    for host, expected in (
        (b"evil.com", (421, "host-not-allowed")),
        (b"", (400, "header-invalid")),
    ):
        exchange = make_exchange({b"host": host, **asked}, method="OPTIONS")
        assert refusal_of(perimeter, exchange) == expected
    assert perimeter.ask(make_exchange({b"host": b"shop.example"})) is None


@pytest.mark.parametrize(
    ("trusted", "client", "passes"),
    [
        (True, "127.0.0.1", True),
        (True, "::1", True),
        # Through the edge: the peer is Envoy, and the client anybody.
        (True, "203.0.113.9", False),
        (True, None, False),
        (False, "127.0.0.1", False),
    ],
)
@pytest.mark.parametrize("host", [b"localhost", b"127.0.0.1:8080", b"[::1]"])
def test_only_a_trusted_client_names_the_loopback(
    host: bytes,
    trusted: bool,  # noqa: FBT001  Of the table.
    client: str | None,
    passes: bool,  # noqa: FBT001  Of the table.
) -> None:
    perimeter = Perimeter(Inbound(hosts=("shop.example",)))
    exchange = make_exchange({b"host": host}, trusted=trusted, client=client)
    assert refusal_of(perimeter, exchange) == (None if passes else (421, "host-not-allowed"))


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (b"", None),
        (b"0", None),
        (b"100", None),
        (b"0100", None),
        (b"101", (413, "body-too-large")),
        (b"9" * 5000, (413, "body-too-large")),
        (b"-1", (400, "header-invalid")),
        (b"+1", (400, "header-invalid")),
        (b"1_0", (400, "header-invalid")),
        (b"5, 5", (400, "header-invalid")),
        (b"0x10", (400, "header-invalid")),
        (b"\xb2", (400, "header-invalid")),
    ],
)
def test_a_declared_length_is_compared(length: bytes, expected: tuple[int, str] | None) -> None:
    perimeter = Perimeter(Inbound(body_bytes_max=100))
    exchange = make_exchange({b"content-length": length}, method="POST")
    assert refusal_of(perimeter, exchange) == expected


def test_without_a_bound_no_length_is_refused() -> None:
    perimeter = Perimeter(Inbound(body_bytes_max=None))
    exchange = make_exchange({b"content-length": b"9" * 30}, method="POST")
    assert perimeter.ask(exchange) is None
    assert not perimeter.must_count(make_exchange({b"transfer-encoding": b"chunked"}))


@pytest.mark.parametrize(
    ("headers", "scope", "counted"),
    [
        ({}, {"http_version": "1.1"}, False),
        ({}, {"http_version": "2"}, True),
        ({}, {"SERVER_PROTOCOL": "HTTP/1.1"}, False),
        ({}, {"SERVER_PROTOCOL": "HTTP/2.0"}, True),
        ({}, {}, False),
        ({b"content-length": b"5"}, {"http_version": "2"}, False),
        ({b"transfer-encoding": b"chunked"}, {"http_version": "1.1"}, True),
        (
            {b"transfer-encoding": b"chunked", b"content-length": b"5"},
            {"http_version": "1.1"},
            True,
        ),
    ],
)
def test_a_body_is_counted_where_its_length_is_not_known(
    headers: dict[bytes, bytes], scope: dict[str, Any], *, counted: bool
) -> None:
    assert Perimeter(Inbound()).must_count(make_exchange(headers, scope=scope)) is counted


def test_only_http1_is_asked_to_close() -> None:
    perimeter = Perimeter(Inbound(body_bytes_max=1))
    for version, headers in (("1.1", ((b"connection", b"close"),)), ("2", ())):
        scope = {"http_version": version}
        answer = perimeter.ask(make_exchange({b"content-length": b"2"}, scope=scope))
        assert isinstance(answer, Refusal)
        assert answer.headers == headers


@pytest.mark.parametrize(
    "answer",
    [
        JSON,
        {b"content-type": b"text/html"},
        {**JSON, b"x-frame-options": b"x", b"referrer-policy": b"x"},
    ],
)
@pytest.mark.parametrize("origin", [None, ORIGIN, b"https://a.shop.example", b"https://evil.com"])
def test_the_same_circumstances_get_the_same_object(
    answer: dict[bytes, bytes], origin: bytes | None
) -> None:
    """A shell keeps what it made of it, by identity."""
    perimeter = Perimeter(Inbound(cors=CORS))
    headers = {} if origin is None else {b"origin": origin}
    answers = {id(perimeter.dress(make_exchange(headers), answer)) for _ in range(5)}
    assert len(answers) == 1


def test_origins_get_what_they_may_and_caches_are_told() -> None:
    perimeter = Perimeter(Inbound(cors=CORS))
    for origin in (ORIGIN, b"https://a.shop.example"):
        found = dressed(perimeter, make_exchange({b"origin": origin}))
        assert found[b"access-control-allow-origin"] == origin
        assert b"Retry-After" in found[b"access-control-expose-headers"]
        assert found[b"vary"] == b"Origin"
    for headers in ({}, {b"origin": b"https://evil.com"}, {b"origin": b"null"}):
        found = dressed(perimeter, make_exchange(headers))
        assert b"access-control-allow-origin" not in found
        assert found[b"vary"] == b"Origin"


def test_a_vary_of_the_app_does_not_take_ours_away() -> None:
    perimeter = Perimeter(Inbound(cors=CORS))
    assert dressed(perimeter, make_exchange(), b"vary")[b"vary"] == b"Origin"
    found = dressed(perimeter, make_exchange({b"origin": ORIGIN}), b"vary", b"x-frame-options")
    assert found[b"vary"] == b"Origin"


def test_an_app_that_does_cors_itself_does_all_of_it() -> None:
    perimeter = Perimeter(Inbound(cors=CORS))
    exchange = make_exchange({b"origin": ORIGIN})
    found = dressed(perimeter, exchange, b"access-control-allow-origin")
    assert not any(name.startswith(b"access-control-") for name in found)


def test_every_origin_may_costs_no_vary() -> None:
    perimeter = Perimeter(Inbound(cors=Cors(origins=("*",))))
    for headers in ({}, {b"origin": b"https://any.example"}):
        found = dressed(perimeter, make_exchange(headers))
        assert found[b"access-control-allow-origin"] == b"*"
        assert b"vary" not in found


def test_origins_that_are_remembered_are_bounded() -> None:
    perimeter = Perimeter(Inbound(cors=CORS))
    for number in range(3000):
        origin = b"https://n%d.shop.example" % number
        assert (
            dressed(perimeter, make_exchange({b"origin": origin}))[b"access-control-allow-origin"]
            == origin
        )
        perimeter.dress(make_exchange({b"origin": b"https://n%d.evil.com" % number}), JSON)
    remembered = perimeter._wardrobes.data.plain.by_origin
    assert len(remembered) == 1024
    assert not any(b"evil" in origin for origin in remembered)
    # The declared one still finds its place.
    exchange = make_exchange({b"origin": ORIGIN})
    assert perimeter.dress(exchange, JSON) is perimeter.dress(exchange, JSON)


def test_preflights_are_answered_and_other_options_are_not() -> None:
    perimeter = Perimeter(Inbound(cors=CORS))
    asked = {b"origin": ORIGIN, b"access-control-request-method": b"PUT"}
    assert isinstance(perimeter.ask(make_exchange(asked, method="OPTIONS")), Preflight)
    assert perimeter.ask(make_exchange(asked, method="GET")) is None
    websocket = make_exchange(asked, method="WEBSOCKET")
    assert perimeter.ask(websocket) is None


def test_without_headers_and_cors_nothing_is_added() -> None:
    perimeter = Perimeter(Inbound(headers=None))
    assert perimeter.dress(make_exchange({b"origin": ORIGIN}), JSON) == ()
    assert perimeter.hidden == frozenset()


@pytest.mark.parametrize("cors", [None, CORS, Cors(origins=("*",))])
@pytest.mark.parametrize("media", [None, b"text/html", b"application/json", b"text/event-stream"])
def test_whatever_an_answer_might_wear_is_heeded(cors: Cors | None, media: bytes | None) -> None:
    """Else the shell would put a header beside the app's own of the same name."""
    perimeter = Perimeter(Inbound(cors=cors, headers=SecurityHeaders(hide=("X-Mine",))))
    answer = {} if media is None else {b"content-type": media}
    for origin in (ORIGIN, b"https://other.example"):
        for scheme in ("http", "https"):
            exchange = make_exchange({b"origin": origin})
            exchange.scope["scheme"] = scheme
            assert perimeter.outfit(exchange, answer).touchy <= perimeter.heeded
    assert b"x-mine" in perimeter.heeded


def test_names_that_give_the_server_away_are_hidden() -> None:
    assert Perimeter(Inbound()).hidden == {b"server", b"x-powered-by"}


def test_threads_get_the_same_objects() -> None:
    perimeter = Perimeter(Inbound(cors=CORS, hosts=("*.shop.example",)))

    def one(number: int) -> tuple[int, int]:
        headers = {b"host": b"h%d.shop.example" % (number % 7), b"origin": ORIGIN}
        exchange = make_exchange(headers)
        assert perimeter.ask(exchange) is None
        answer = {**JSON, b"x-frame-options": b"x"} if number % 2 else JSON
        return number % 2, id(perimeter.dress(exchange, answer))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(2000)))) == 2


HEADER = st.one_of(
    st.none(),
    st.binary(max_size=300),
    st.text("abcdef:/.*shop.examplehttps0123456789,- \t\r\n\0", max_size=60).map(str.encode),
    st.sampled_from([b"null", b"*", ORIGIN, b"shop.example", b"5", b"PUT", b"https"]),
)
HEADERS = st.fixed_dictionaries(
    dict.fromkeys(
        (
            b"host",
            b"origin",
            b"content-length",
            b"transfer-encoding",
            b"access-control-request-method",
            b"access-control-request-headers",
            b"x-forwarded-proto",
        ),
        HEADER,
    )
)


@settings(max_examples=1500, deadline=None)
@given(HEADERS, st.sampled_from(["GET", "OPTIONS", "POST", "", "\0"]), st.booleans())
def test_any_headers_end_in_an_answer(
    headers: dict[bytes, bytes | None],
    method: str,
    trusted: bool,  # noqa: FBT001  Drawn.
) -> None:
    perimeter = Perimeter(Inbound(hosts=("shop.example", "*.shop.example"), cors=CORS))
    given = {name: value for name, value in headers.items() if value is not None}
    exchange = make_exchange(given, method=method, trusted=trusted)
    answer = perimeter.ask(exchange)
    worn = list(perimeter.dress(exchange, JSON))
    if answer is not None:
        worn += answer.headers
    assert perimeter.must_count(exchange) is bool(given.get(b"transfer-encoding"))
    for name, value in worn:
        assert name == name.lower()
        assert not set(b"\r\n\0") & set(value), "a header was split"
