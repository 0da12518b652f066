"""How long a request may take: the least of what its headers say and what is declared. Pure.

It crosses processes as the time that remains, never as a time of day.
"""

import re
from collections.abc import Callable

from mainstay.service.inbound.exchange import Lookup

_GRPC = re.compile(rb"([0-9]{1,8})([HMSmun])")
_GRPC_UNIT_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MILLIS = re.compile(rb"[0-9]{1,12}")
_SECONDS = re.compile(rb"[0-9]{1,9}(?:\.[0-9]{1,9})?s?|\.[0-9]{1,9}s?")

_SAID_MAX = 8
"""Values of one header that are looked at; there are not so many proxies on the way."""


def allowed_s(get: Lookup, declared_s: float) -> float:
    """Return the seconds in which the answer must have begun; 0 where no time is left.

    A header that can't be read bounds nothing: its sender is wrong, and the declared bound holds.

    Args:
        get: Looks up the request's headers.
        declared_s: ``inbound.deadline``; infinite where it is off.
    """
    least_s = declared_s
    value = get(b"x-envoy-expected-rq-timeout-ms")
    if value is not None:
        least_s = _least_s(value, _envoy_s, least_s)
    value = get(b"grpc-timeout")
    if value is not None:
        least_s = _least_s(value, _grpc_s, least_s)
    value = get(b"x-request-timeout")
    if value is not None:
        least_s = _least_s(value, seconds_of, least_s)
    return least_s


def _least_s(value: bytes, read: Callable[[bytes], float | None], least_s: float) -> float:
    if b"," not in value:
        seconds = read(value)
        return least_s if seconds is None else min(least_s, seconds)
    # Sent more than once: a proxy added its own, and each of them means what it says. What stands
    # behind the last that is looked at is one text with commas in it, which nobody can read.
    for one in value.split(b",", _SAID_MAX - 1):
        seconds = read(one.strip(b" \t"))
        if seconds is not None:
            least_s = min(least_s, seconds)
    return least_s


def _envoy_s(value: bytes) -> float | None:
    # Envoy writes 0 for a route without a bound.
    return (int(value) / 1000.0 or None) if _MILLIS.fullmatch(value) else None


def _grpc_s(value: bytes) -> float | None:
    match = _GRPC.fullmatch(value)
    return int(match[1]) * _GRPC_UNIT_S[match[2]] if match else None


def seconds_of(value: bytes) -> float | None:
    """Return the seconds that ``X-Request-Timeout`` says (``2``, ``0.25``, ``250ms``), or None."""
    if value.endswith(b"ms"):
        return int(value[:-2]) / 1000.0 if _MILLIS.fullmatch(value[:-2]) else None
    return float(value.removesuffix(b"s")) if _SECONDS.fullmatch(value) else None
