"""Security headers: from what is declared to the headers themselves. Pure."""

from typing import Literal

from mainstay.service.inbound.perimeter.csp import (
    API,
    DOCS,
    PAGES,
    Directives,
    has_nonce,
    merged,
    policy,
)
from mainstay.service.inbound.problems.refusal import RawHeaders
from mainstay.spec.perimeter import Hsts, SecurityHeaders, allowed_features

Kind = Literal["api", "pages", "docs"]
"""Of an answer: data, a page, or a page of FastAPI's documentation."""

HSTS = b"strict-transport-security"

_PRESETS: dict[Kind, Directives] = {"api": API, "pages": PAGES, "docs": DOCS}
_ANCESTORS = "frame-ancestors"
_FRAMES: Directives = {"deny": ("none",), "same-origin": ("self",)}
_OLD_FRAMES: dict[tuple[str, ...], bytes] = {("none",): b"DENY", ("self",): b"SAMEORIGIN"}
_OF_PAGES = frozenset(
    (
        b"referrer-policy",
        b"permissions-policy",
        b"cross-origin-opener-policy",
        b"cross-origin-embedder-policy",
    )
)
"""What says something of documents: who learns their address, what they may use, who opens them."""

_EVERYBODY = "*"
_PLACE = "\0"
"""Where a nonce goes; no source has it in it."""


class Csp:
    """One Content-Security-Policy, ready to be sent.

    Args:
        directives: Names and their sources, as declared.
        report_only: Whether browsers only report what it forbids.

    Attributes:
        name: Of its header, which differs where browsers only report.
        text: Without a nonce.
        has_nonce: Whether a request may have one.
    """

    __slots__ = ("_parts", "has_nonce", "name", "text")

    def __init__(self, directives: Directives, *, report_only: bool) -> None:
        end = b"-report-only" if report_only else b""
        self.name = b"content-security-policy" + end
        self.has_nonce = has_nonce(directives)
        self.text = policy(directives).encode()
        self._parts = policy(directives, _PLACE).encode().split(_PLACE.encode())

    def with_nonce(self, nonce: str) -> bytes:
        """Return the text with the nonce of one request."""
        return nonce.encode().join(self._parts)


def csp_of(declared: SecurityHeaders, kind: Kind) -> Csp | None:
    """Return the policy of answers of a kind; None where it is off."""
    if declared.csp is None:
        return None
    preset = _PRESETS[kind]
    # What is declared is about the app's own answers.
    directives = preset if kind == "docs" else merged(preset, declared.csp)
    if declared.frame is not None:
        directives = {_ANCESTORS: _FRAMES[declared.frame], **directives}
    if not directives:
        return None
    return Csp(directives, report_only=declared.report_only)


def plain_headers(declared: SecurityHeaders) -> RawHeaders:
    """Return all headers that depend on nothing: without CSP and HSTS, in lower case."""
    return (*_own_headers(declared), *_also(declared).items())


def data_headers(declared: SecurityHeaders) -> RawHeaders:
    """Return what ``plain_headers`` does, less what browsers heed for pages alone.

    Source: OWASP's REST Security cheat sheet, which asks for the rest where an answer is no HTML.
    """
    own = [pair for pair in _own_headers(declared) if pair[0] not in _OF_PAGES]
    return (*own, *_also(declared).items())


def _also(declared: SecurityHeaders) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode() for name, value in declared.also}


def _own_headers(declared: SecurityHeaders) -> RawHeaders:
    found = [
        (b"x-content-type-options", b"nosniff" if declared.nosniff else None),
        (b"x-frame-options", _old_frame(declared)),
        (b"referrer-policy", _raw(declared.referrer)),
        (b"permissions-policy", _permissions(declared)),
        (b"cross-origin-opener-policy", _raw(declared.opener)),
        (b"cross-origin-resource-policy", _raw(declared.resource)),
        (b"cross-origin-embedder-policy", _raw(declared.embedder)),
    ]
    named = _also(declared)
    return tuple((name, value) for name, value in found if value and name not in named)


def hsts_value(declared: Hsts) -> bytes:
    """Return the value of Strict-Transport-Security."""
    words = [f"max-age={declared.max_age_s:.0f}"]
    if declared.subdomains:
        words.append("includeSubDomains")
    if declared.preload:
        words.append("preload")
    return "; ".join(words).encode()


def _old_frame(declared: SecurityHeaders) -> bytes | None:
    """Return X-Frame-Options, as far as it can say what frame-ancestors says."""
    if declared.frame is None:
        return None
    ancestors = dict(declared.csp or ()).get(_ANCESTORS) or _FRAMES[declared.frame]
    return _OLD_FRAMES.get(tuple(word.strip("'") for word in ancestors))


def _permissions(declared: SecurityHeaders) -> bytes | None:
    if declared.permissions is None:
        return None
    allowed = allowed_features(declared.permissions)
    return ", ".join(f"{name}={_allow_list(who)}" for name, who in allowed).encode()


def _allow_list(who: tuple[str, ...]) -> str:
    """Return an allow-list as a structured field: origins in quotes, everybody alone."""
    if _EVERYBODY in who:
        return _EVERYBODY
    return "(" + " ".join(f'"{one}"' if "://" in one else one for one in who) + ")"


def _raw(value: str | None) -> bytes | None:
    return None if value is None else value.encode()
