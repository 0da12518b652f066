"""What reads a header, each with the law that holds for whatever it is given."""

import sys
from collections.abc import Callable
from random import Random

from bench.header_inputs import SEEDS, mutated

from mainstay.core.trace import arrive, parse_traceparent, request_id_of, tracestate_of
from mainstay.service.inbound.client import Trust, packed_of
from mainstay.service.inbound.deadline import allowed_s
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.idempotency.key import parse_key
from mainstay.service.inbound.perimeter import Perimeter
from mainstay.service.inbound.problems.error_page import HTML_TYPE
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.service.inbound.problems.problem import Problems
from mainstay.service.inbound.sessions.cookie import Cookie, Signer
from mainstay.service.outbound.retry.retry_after import retry_after_s
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors

DECLARED_S = 5.0
HOSTS = ("shop.example", "*.shop.example")
CORS = Cors(origins=("https://web.example", "https://*.web.example"))

_perimeter = Perimeter(Inbound(hosts=HOSTS, cors=CORS))
_trust = Trust(("127.0.0.0/8", "::1/128"))
_cookie = Cookie.declared("session", secure=True, same_site="lax")
_signer = Signer((b"k" * 32,), "fuzz")
_problems = Problems()
_rng = Random(1)


class Wrong(Exception):
    """A reader said what it may not."""


def hold(law: bool) -> None:  # noqa: FBT001  What assert takes; asserts may be off here.
    """Raise unless a law holds."""
    if not law:
        raise Wrong


def _traceparent(value: bytes) -> None:
    found = parse_traceparent(value)
    if found is not None:
        hold(len(found[0]) == 32 and int(found[0], 16) > 0 and int(found[1], 16) > 0)
    hold(parse_traceparent(arrive(_rng, value).traceparent.encode()) is not None)


def _plain(text: str) -> None:
    hold(text.isascii() and (not text or text.isprintable()))


def _client(value: bytes) -> None:
    client = _trust.client("127.0.0.1", value)
    hold(client is not None and packed_of(client) is not None)


def _time(name: bytes) -> Callable[[bytes], None]:
    def read(value: bytes) -> None:
        allowed = allowed_s({name: value}.get, DECLARED_S)
        hold(0 <= allowed <= DECLARED_S)

    return read


def _head(name: bytes) -> Callable[[bytes], None]:
    """Return what shows the perimeter one header of an otherwise valid request."""
    usual = {b"host": b"shop.example", b"origin": b"https://web.example"}

    def read(value: bytes) -> None:
        exchange = Exchange()
        exchange.scope = {"scheme": "http", "http_version": "1.1"}
        exchange.kind, exchange.path, exchange.status, exchange.trusted = "http", "/", 200, True
        exchange.peer = exchange.client = "127.0.0.1"
        exchange.method = "OPTIONS" if name.startswith(b"access") else "POST"
        exchange.get = {**usual, name: value}.get
        said = _perimeter.ask(exchange)
        _perimeter.must_count(exchange)
        worn = [*_perimeter.dress(exchange, {b"content-type": value})]
        worn += () if said is None else said.headers
        hold(not any(set(b"\r\n\0") & set(text) for pair in worn for text in pair))

    return read


def _key(value: bytes) -> None:
    key = parse_key(value)
    hold(key is None or 0 < len(key) <= 255)


def _session(value: bytes) -> None:
    # Nobody but us signs.
    hold(_signer.verify(_cookie.value_in(value)) is None)


def _accept(value: bytes) -> None:
    _problems.convert(404, "text/html", b"<p>", "t", "r", accept=value)
    kind, _ = _problems.answer(FAILED, "t", "r", value)
    hold(kind != HTML_TYPE or b"text/html" in value.lower())


def _later(value: bytes) -> None:
    found = retry_after_s(value.decode("latin-1"), now_wall_s=1e9)
    hold(found is None or found >= 0)


def _named(value: bytes) -> None:
    found = request_id_of(value)
    hold(found is None or 0 < len(found) <= 128)


READERS: dict[bytes, Callable[[bytes], None]] = {
    b"traceparent": _traceparent,
    b"tracestate": lambda value: _plain(tracestate_of(value)),
    b"baggage": lambda value: _plain(arrive(_rng, None, None, value).baggage_out),
    b"x-request-id": _named,
    b"x-forwarded-for": _client,
    b"idempotency-key": _key,
    b"cookie": _session,
    b"accept": _accept,
    b"retry-after": _later,
    **{
        name: _time(name)
        for name in (b"x-request-timeout", b"grpc-timeout", b"x-envoy-expected-rq-timeout-ms")
    },
    **{
        name: _head(name)
        for name in (
            b"host", b"origin", b"access-control-request-method", b"content-length",
            b"access-control-request-headers", b"content-type", b"transfer-encoding",
            b"x-forwarded-proto",
        )
    },
}  # fmt: skip


def read_values(seed: int, count: int) -> int:
    """Give every reader its share of ``count`` values; return how many finds there are."""
    finds = 0
    for name, read in READERS.items():
        rng = Random(f"{seed} {name!r}")
        for _ in range(count // len(READERS)):
            value = mutated(rng, SEEDS[name])
            try:
                read(value)
            except Exception as error:  # noqa: BLE001  Any is what we look for.
                finds += 1
                tell(name, value, error)
    return finds


def tell(name: bytes, value: bytes, error: Exception) -> None:
    """Tell of a find, so that it can be tried again."""
    print(f"{name.decode()}: {value[:300]!r}: {type(error).__name__}: {error}", file=sys.stderr)
