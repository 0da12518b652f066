"""Content-Security-Policy: the text that browsers read."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.perimeter.csp import API, PAGES, has_nonce, merged, policy
from mainstay.spec.perimeter import DIRECTIVE, SOURCE


def test_words_of_csp_get_quotes_and_everything_else_does_not() -> None:
    directives = {
        "script-src": ("self", "sha256-abc=", "strict-dynamic", "https://cdn.example.com", "nonce"),
        "style-src": ("'self'", "data:", "*.example.com"),
        "require-trusted-types-for": ("script",),
        "sandbox": ("allow-scripts",),
        "report-to": ("csp",),
        "upgrade-insecure-requests": (),
    }
    assert policy(directives, "N0nce") == (
        "script-src 'self' 'sha256-abc=' 'strict-dynamic' https://cdn.example.com 'nonce-N0nce'; "
        "style-src 'self' data: *.example.com; require-trusted-types-for 'script'; "
        "sandbox allow-scripts; report-to csp; upgrade-insecure-requests"
    )


def test_without_a_nonce_nothing_inline_is_allowed() -> None:
    assert policy({"script-src": ("self", "nonce")}) == "script-src 'self'"
    assert policy({"script-src": ("nonce",)}) == "script-src 'none'"
    assert has_nonce(PAGES)
    assert not has_nonce(API)


def test_what_is_declared_takes_the_place_of_the_presets() -> None:
    declared = (
        ("img-src", ("https://img.example.com",)),
        ("form-action", ()),
        ("upgrade-insecure-requests", ()),
        ("connect-src", ("self",)),
    )
    directives = merged(PAGES, declared)
    assert directives["img-src"] == ("https://img.example.com",)
    assert "form-action" not in directives
    assert directives["upgrade-insecure-requests"] == ()
    assert directives["connect-src"] == ("self",)
    assert directives["object-src"] == ("none",)
    assert PAGES["form-action"] == ("self",)


NAMES = st.from_regex(re.compile(DIRECTIVE.pattern or ""), fullmatch=True)
SOURCES = st.lists(st.from_regex(re.compile(SOURCE.pattern or ""), fullmatch=True), max_size=4)


@given(st.dictionaries(NAMES, SOURCES.map(tuple), max_size=5), st.from_regex(r"[\w-]{1,22}"))
def test_whatever_is_declared_stays_in_its_directive_and_its_header(
    directives: dict[str, tuple[str, ...]], nonce: str
) -> None:
    """No source ends its directive, begins another header, or is split in two."""
    text = policy(directives, nonce.strip())
    assert text.isprintable()
    assert "," not in text
    parts = [part.split(" ") for part in text.split("; ")] if text else []
    assert [words[0] for words in parts] == list(directives)
    assert [len(words) - 1 for words in parts] == [len(words) for words in directives.values()]
