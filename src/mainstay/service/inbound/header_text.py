"""Headers as WSGI has them, in text: from and to the bytes that parts speak in."""

from mainstay.service.inbound.problems.refusal import RawHeaders

TextHeaders = list[tuple[str, str]]

_NAMES_MAX = 512
"""Of headers that are remembered in the other form; an app has few."""

_LOWER: dict[str, bytes] = {}
_TITLES: dict[bytes, str] = {}
_last: tuple[RawHeaders, TextHeaders] = ((), [])


def by_name(headers: TextHeaders) -> dict[bytes, str]:
    """Return the values of headers by their names, as parts have those; of several, the last."""
    known = _LOWER
    return {(known.get(name) or lower(name)): value for name, value in headers}


def lower(name: str) -> bytes:
    """Return the name of a header as parts have it."""
    lowered = name.lower().encode("latin-1", "replace")
    if len(_LOWER) < _NAMES_MAX:
        _LOWER[name] = lowered
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
    return _TITLES.get(name) or _title(name), value.decode("latin-1")


def _title(name: bytes) -> str:
    title = name.decode("latin-1").title()
    if len(_TITLES) < _NAMES_MAX:
        _TITLES[name] = title
    return title
