"""Which format, and whether packed, by what a scraper accepts. Decisions alone.

Sources: RFC 9110, sections 12.4.2 and 12.5; Prometheus, "Exposition formats", on what it sends.
"""

import re
from collections.abc import Iterator

TEXT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

_HEADER_BYTES_MAX = 4096
_MEMBERS_MAX = 64
_OPENMETRICS = b"application/openmetrics-text"
_VERSIONS = frozenset({None, b"0.0.1", b"1.0.0"})
_QUALITY = re.compile(rb"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def wants_openmetrics(accept: bytes | None) -> bool:
    """Return whether OpenMetrics is what a scraper would rather have.

    Where nothing of ours is accepted, or the header is nonsense, it gets the older text: a scraper
    that gets something can say what it dislikes.
    """
    openmetrics = text = 0.0
    for value, parameters in _members(accept):
        quality = _quality(parameters)
        if value == _OPENMETRICS and parameters.get(b"version") in _VERSIONS:
            openmetrics = max(openmetrics, quality)
        elif value in {b"text/plain", b"text/*"}:
            text = max(text, quality)
    return openmetrics > 0.0 and openmetrics >= text


def wants_gzip(accept_encoding: bytes | None) -> bool:
    """Return whether an answer may be packed with gzip."""
    qualities = {value: _quality(one) for value, one in _members(accept_encoding)}
    return qualities.get(b"gzip", qualities.get(b"*", 0.0)) > 0.0


def _members(header: bytes | None) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    if header is None or len(header) > _HEADER_BYTES_MAX:
        return
    for member in header.lower().split(b",", _MEMBERS_MAX)[:_MEMBERS_MAX]:
        value, *rest = (part.strip() for part in member.split(b";"))
        pairs = (part.partition(b"=") for part in rest)
        yield value, {name.strip(): found.strip(b' "') for name, _, found in pairs}


def _quality(parameters: dict[bytes, bytes]) -> float:
    said = parameters.get(b"q", b"1")
    return float(said) if _QUALITY.fullmatch(said) else 0.0
