"""Headers as WSGI has them, in text: from and to the bytes that parts speak in."""

from mainstay.service.inbound.problems.refusal import RawHeaders

TextHeaders = list[tuple[str, str]]

_NAMES_MAX = 512
"""Of headers that are remembered in the other form; an app has few."""

LOWER: dict[str, bytes] = {}
"""Names as parts have them, by those of WSGI: what a loop looks into before it calls ``lower``."""

TITLES: dict[bytes, str] = {}
"""The other way: what it looks into before it calls ``title``."""

_last: tuple[RawHeaders, TextHeaders] = ((), [])


def lower(name: str) -> bytes:
    """Return the name of a header as parts have it."""
    lowered = name.lower().encode("latin-1", "replace")
    if len(LOWER) < _NAMES_MAX:
        LOWER[name] = lowered
    return lowered


def as_text(headers: RawHeaders) -> TextHeaders:
    """Return headers as WSGI has them. What is the same for all requests is decoded once."""
    global _last  # noqa: PLW0603  One tuple, read and written whole: threads see both or neither.
    known, text = _last
    if known is not headers:
        text = [pair_of(name, value) for name, value in headers]
        _last = (headers, text)
    return text


def pair_of(name: bytes, value: bytes) -> tuple[str, str]:
    """Return one header as WSGI has it."""
    return TITLES.get(name) or title(name), value.decode("latin-1")


def title(name: bytes) -> str:
    """Return the name of a header as WSGI has it."""
    titled = name.decode("latin-1").title()
    if len(TITLES) < _NAMES_MAX:
        TITLES[name] = titled
    return titled
