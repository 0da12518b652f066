"""Which security headers an answer wears, by what it is: data, pages, and those of FastAPI."""

from typing import Any

import pytest
from tests.service.inbound.perimeter.exchanges import (
    CORS,
    CSP,
    JSON,
    ORIGIN,
    dressed,
    make_exchange,
)

from mainstay.service.inbound.perimeter import Perimeter, csp_nonce
from mainstay.service.inbound.perimeter.nonce import begin
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import SecurityHeaders

HSTS = b"strict-transport-security"


PAGE = {b"content-type": b"text/html; charset=utf-8"}


def test_hsts_is_said_over_https_only() -> None:
    perimeter = Perimeter(Inbound())
    assert HSTS not in dressed(perimeter, make_exchange())
    assert HSTS in dressed(perimeter, make_exchange(scope={"scheme": "https"}))
    assert HSTS in dressed(perimeter, make_exchange(scope={"wsgi.url_scheme": "https"}))
    behind = {b"x-forwarded-proto": b"https"}
    assert HSTS in dressed(perimeter, make_exchange(behind, trusted=True))
    assert HSTS not in dressed(perimeter, make_exchange(behind, trusted=False))
    plain = {b"x-forwarded-proto": b"http"}
    assert HSTS not in dressed(perimeter, make_exchange(plain, trusted=True))


def test_what_the_app_says_itself_stays() -> None:
    perimeter = Perimeter(Inbound())
    found = dressed(perimeter, make_exchange(), b"x-frame-options", CSP)
    assert b"x-frame-options" not in found
    assert CSP not in found
    assert found[b"x-content-type-options"] == b"nosniff"


def policy_for(media: bytes | str | None, *, preset: str = "auto", status: int = 200) -> bytes:
    perimeter = Perimeter(Inbound(headers=SecurityHeaders(preset=preset)))
    answer: dict[bytes, Any] = {} if media is None else {b"content-type": media}
    found = dict(perimeter.dress(make_exchange(status=status), answer))
    return found.get(CSP, b"")


@pytest.mark.parametrize("media", [b"text/html", b"Text/HTML; charset=utf-8", "text/html"])
def test_a_page_gets_the_policy_of_pages(media: bytes | str) -> None:
    """By default; a shell has the values as ASGI or as WSGI writes them."""
    assert policy_for(media) == policy_for(b"application/json", preset="pages")
    assert policy_for(media, preset="api") == policy_for(b"application/json")


@pytest.mark.parametrize(
    "media", [None, b"", b"application/json", "text/plain", b"text/htm", b"image/svg+xml"]
)
def test_all_else_gets_the_policy_of_data(media: bytes | str | None) -> None:
    assert b"default-src 'none'" in policy_for(media)


def test_a_304_takes_no_policy_to_a_page_that_is_kept() -> None:
    """A browser takes over the headers of a 304: those for data would blank the page."""
    assert policy_for(None, status=304) == b""
    assert policy_for(None, status=304, preset="api") == policy_for(None)
    assert policy_for(b"text/html", status=304) == policy_for(b"text/html")


def test_a_policy_that_is_off_is_off_for_pages() -> None:
    perimeter = Perimeter(Inbound(headers=SecurityHeaders(csp=None)))
    answer = {b"content-type": b"text/html"}
    assert CSP not in dict(perimeter.dress(make_exchange(), answer))
    assert dict(perimeter.dress(make_exchange(), answer))[b"x-frame-options"] == b"DENY"


def test_types_that_are_remembered_are_bounded() -> None:
    perimeter = Perimeter(Inbound())
    for number in range(600):
        for media, policy in ((b"text/html; v=%d", b"'self'"), (b"text/x%d", b"'none'")):
            worn = dict(perimeter.dress(make_exchange(), {b"content-type": media % number}))
            assert b"default-src " + policy in worn[CSP]
    assert len(perimeter.plain) == 256


def pages_with_nonce(*names: bytes) -> tuple[str, dict[bytes, bytes]]:
    perimeter = Perimeter(Inbound(headers=SecurityHeaders(preset="pages"), cors=CORS))
    exchange = make_exchange({b"origin": ORIGIN})
    begin(exchange.scope)
    nonce = csp_nonce()
    return nonce, dressed(perimeter, exchange, *names)


def test_the_nonce_that_was_asked_for_is_in_the_policy() -> None:
    nonce, found = pages_with_nonce()
    assert f"'nonce-{nonce}'".encode() in found[CSP]
    assert b"access-control-allow-origin" in found
    assert found[b"x-frame-options"] == b"DENY"


def test_a_policy_of_the_app_stays_with_a_nonce_too() -> None:
    _, found = pages_with_nonce(CSP, b"x-frame-options", b"access-control-allow-origin")
    assert CSP not in found
    assert b"x-frame-options" not in found
    assert not any(name.startswith(b"access-control-") for name in found)
    assert found[b"vary"] == b"Origin"


def test_who_does_not_ask_gets_the_same_policy_each_time() -> None:
    perimeter = Perimeter(Inbound(headers=SecurityHeaders(preset="pages")))
    answers = set()
    for _ in range(3):
        exchange = make_exchange()
        perimeter.ask(exchange)
        answers.add(id(perimeter.dress(exchange, JSON)))
    assert len(answers) == 1


def test_the_documentation_of_fastapi_has_a_policy_of_its_own() -> None:
    perimeter = Perimeter(Inbound())
    docs = dict(perimeter.dress(make_exchange(path="/docs"), PAGE))
    assert b"https://cdn.jsdelivr.net" in docs[CSP]
    assert b"frame-ancestors 'none'" in docs[CSP]
    for path in ("/", "/docs/", "/docs/other", "/docsx"):
        found = dict(perimeter.dress(make_exchange(path=path), PAGE))
        assert b"jsdelivr" not in found[CSP]
    strict = Perimeter(Inbound(headers=SecurityHeaders(docs=())))
    assert b"jsdelivr" not in dict(strict.dress(make_exchange(path="/docs"), PAGE))[CSP]
    # What is no page loads nothing, wherever it is.
    assert b"jsdelivr" not in dressed(perimeter, make_exchange(path="/docs"))[CSP]


OF_PAGES = {b"referrer-policy", b"permissions-policy", b"cross-origin-opener-policy"}


@pytest.mark.parametrize(
    "media", [b"application/json", "application/json; charset=utf-8", b"application/problem+json"]
)
def test_data_goes_without_what_is_said_of_pages(media: bytes | str) -> None:
    answer: dict[bytes, Any] = {b"content-type": media}
    for preset in ("auto", "api"):
        brief = dict(
            Perimeter(Inbound(headers=SecurityHeaders(preset=preset))).dress(
                make_exchange(), answer
            )
        )
        assert OF_PAGES.isdisjoint(brief)
        # OWASP's list for an API, and who may embed it.
        assert brief.keys() == {
            CSP,
            b"x-content-type-options",
            b"x-frame-options",
            b"cross-origin-resource-policy",
        }


def test_data_may_wear_all_of_it() -> None:
    for headers in (SecurityHeaders(data="full"), SecurityHeaders(preset="pages")):
        assert dressed(Perimeter(Inbound(headers=headers)), make_exchange()).keys() >= OF_PAGES


def test_a_header_that_is_declared_goes_with_data_too() -> None:
    headers = SecurityHeaders(also=(("Referrer-Policy", "no-referrer"),))
    found = dressed(Perimeter(Inbound(headers=headers)), make_exchange())
    assert found[b"referrer-policy"] == b"no-referrer"


@pytest.mark.parametrize("media", [None, b"", b"text/plain", b"text/html", b"image/svg+xml"])
def test_what_a_browser_may_show_wears_all(media: bytes | None) -> None:
    answer = {} if media is None else {b"content-type": media}
    assert dict(Perimeter(Inbound()).dress(make_exchange(), answer)).keys() >= OF_PAGES
