"""Hostile headers: what is valid, and what becomes of it under a seeded hand."""

from collections.abc import Sequence
from random import Random

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PIECES = (
    b",", b";", b"=", b'"', b"\\", b" ", b"\t", b"\r\n", b"\0", b"\x7f", b"\xff", b"\xc3\xa9", b"-",
    b"%00", b"[", b"]", b"://", b"..", b"0", b"9" * 40, b"-1", b"1e999", b"nan", b"inf", b"*",
    b"\xe2\x80\xae", b"\xd9\xa3",
)  # fmt: skip
LONG_BYTES_MAX = 70_000
_LONG_SHARE = 0.002

SEEDS: dict[bytes, tuple[bytes, ...]] = {
    b"traceparent": (TRACE, TRACE.replace(b"00-4", b"cc-4") + b"-more", TRACE.upper()),
    b"tracestate": (b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", b"a@b=c", b"k=v," * 33),
    b"baggage": (b"user=ann,tier=gold;ttl=5", b"k=%20v"),
    b"x-request-id": (b"5f3f6f3e-0d8c-4c1e-8a34-1f1c1b1a1918", b"x" * 128),
    b"x-forwarded-for": (
        b"192.0.2.1, 127.0.0.1", b"[2001:db8::1]:5000, ::ffff:127.0.0.1", b"fe80::1%eth0",
        b"1," * 40,
    ),
    b"x-forwarded-proto": (b"https", b"http"),
    b"x-request-timeout": (b"2", b"0.25", b"250ms", b".5s"),
    b"grpc-timeout": (b"250m", b"1S", b"99999999H"),
    b"x-envoy-expected-rq-timeout-ms": (b"15000", b"0"),
    b"host": (b"shop.example", b"a.shop.example:8080", b"[::1]:80", b"127.0.0.1"),
    b"origin": (b"https://web.example", b"https://a.web.example", b"null"),
    b"access-control-request-method": (b"PUT",),
    b"access-control-request-headers": (b"content-type, x-a",),
    b"content-length": (b"5", b"17000000", b"0"),
    b"content-type": (b"application/json", b"text/html; charset=utf-8"),
    b"transfer-encoding": (b"chunked", b"gzip, chunked"),
    b"accept": (b"text/html,application/xhtml+xml,*/*;q=0.8", b"application/json"),
    b"idempotency-key": (b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', b"bare-key", b'"a\\"b"'),
    b"authorization": (b"Bearer abc", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    b"cookie": (b"a=b; __Host-session=" + b"A" * 86, b"__Host-session=; c", b"__Host-session=x"),
    b"x-priority": (b"critical", b"low"),
    b"x-api-key": (b"secret-key",),
    b"retry-after": (b"120", b"Wed, 21 Oct 2015 07:28:00 GMT", b"Wed Oct 21 07:28:00 2015"),
}  # fmt: skip


def mutated(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a value near a valid one, or far from any.

    Args:
        rng: Seeded, so that a find can be found again.
        seeds: Values to begin with.
    """
    if rng.random() < _LONG_SHARE:
        return rng.choice((*seeds, *PIECES)) * rng.randrange(1, LONG_BYTES_MAX // 40)
    value = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(5)):
        at = rng.randrange(len(value) + 1)
        match rng.randrange(6):
            case 0:
                value[at : at + 1] = rng.randbytes(1)
            case 1:
                value[at:at] = rng.choice(PIECES)
            case 2:
                del value[at : at + rng.randrange(8)]
            case 3:
                value[at:at] = value[: rng.randrange(len(value) + 1)]
            case 4:
                value[at:] = rng.choice(seeds)[at:]
            case _:
                value[at:at] = rng.randbytes(rng.randrange(12))
    return bytes(value)
