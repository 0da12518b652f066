"""Content-Security-Policy: from directives and sources to the header's text. Pure.

Sources: W3C Content Security Policy Level 3; for the presets, OWASP's REST Security and Content
Security Policy cheat sheets.
"""

from collections.abc import Mapping

Directives = Mapping[str, tuple[str, ...]]
NONCE = "nonce"
"""Stands for the nonce of the request, in a declaration."""

# Nothing may be loaded, framed, based or submitted: right for whatever is not a page. What has no
# fallback to default-src is named.
API: Directives = {"default-src": ("none",), "base-uri": ("none",), "form-action": ("none",)}

PAGES: Directives = {
    "default-src": ("self",),
    "script-src": ("self", NONCE),
    "style-src": ("self", NONCE),
    "img-src": ("self", "data:"),
    "object-src": ("none",),
    "base-uri": ("none",),
    "form-action": ("self",),
}

# What the pages load that FastAPI serves at /docs and /redoc: their scripts and styles stand
# inline, and the rest comes from these places.
DOCS: Directives = {
    "default-src": ("self",),
    "script-src": ("self", "unsafe-inline", "https://cdn.jsdelivr.net"),
    "style-src": (
        "self",
        "unsafe-inline",
        "https://cdn.jsdelivr.net",
        "https://fonts.googleapis.com",
    ),
    "font-src": ("self", "https://fonts.gstatic.com"),
    "img-src": ("self", "data:", "https://fastapi.tiangolo.com", "https://cdn.redoc.ly"),
    "worker-src": ("self", "blob:"),
    "object-src": ("none",),
    "base-uri": ("none",),
    "form-action": ("self",),
}

_KEYWORDS = frozenset(
    (
        "self", "none", "unsafe-inline", "unsafe-eval", "unsafe-hashes", "wasm-unsafe-eval",
        "strict-dynamic", "report-sample", "inline-speculation-rules", "allow-duplicates",
    )
)  # fmt: skip
_QUOTED_STARTS = ("sha256-", "sha384-", "sha512-", "nonce-")
_TRUSTED_TYPES = "require-trusted-types-for"


def merged(preset: Directives, declared: tuple[tuple[str, tuple[str, ...]], ...]) -> Directives:
    """Return the preset's directives with the declared ones in their place.

    A declared directive without a source leaves the preset's out; one that the preset doesn't
    know, and that has no source by its nature (``upgrade-insecure-requests``), is added.
    """
    directives = dict(preset)
    for name, sources in declared:
        if sources or name not in directives:
            directives[name] = sources
        else:
            del directives[name]
    return directives


def has_nonce(directives: Directives) -> bool:
    """Return whether the policy depends on the request."""
    return any(NONCE in sources for sources in directives.values())


def policy(directives: Directives, nonce: str = "") -> str:
    """Return the header's text.

    Args:
        directives: In the order in which they are written.
        nonce: The request's; without one nothing inline is allowed by it.
    """
    return "; ".join(_directive(name, sources, nonce) for name, sources in directives.items())


def _directive(name: str, sources: tuple[str, ...], nonce: str) -> str:
    words = [_word(name, source, nonce) for source in sources]
    known = [word for word in words if word]
    if words and not known:
        # The nonce was the only source, and nobody asked for it.
        known = ["'none'"]
    return " ".join([name, *known])


def _word(name: str, source: str, nonce: str) -> str:
    """Return one source as CSP writes it: its own words in quotes."""
    if source == NONCE:
        return f"'nonce-{nonce}'" if nonce else ""
    is_keyword = source in _KEYWORDS or source.startswith(_QUOTED_STARTS)
    if is_keyword or (name == _TRUSTED_TYPES and source == "script"):
        return f"'{source}'"
    return source
