"""A+ by the rules of the public scanners, and the rules are able to say no."""

import pytest
from tests.service.inbound.perimeter.exchanges import make_exchange
from tests.service.inbound.perimeter.observatory import grade, letters, score

from mainstay.service.inbound.perimeter import Perimeter, csp_nonce
from mainstay.service.inbound.perimeter.nonce import begin
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors, Hsts, SecurityHeaders


def scanned(
    inbound: Inbound, *, path: str = "/", media: bytes = b"", asks_nonce: bool = False
) -> dict[str, str]:
    """Return what a scanner sees by HTTPS, which asks from an origin of its own."""
    perimeter = Perimeter(inbound)
    exchange = make_exchange(
        {b"origin": b"https://scanner.example"}, path=path, scope={"scheme": "https"}
    )
    assert perimeter.ask(exchange) is None
    if asks_nonce:
        begin(exchange.scope)
        csp_nonce()
    worn = perimeter.dress(exchange, {b"content-type": media})
    return {name.decode(): value.decode() for name, value in worn}


@pytest.mark.parametrize(
    ("inbound", "points"),
    [
        # 10 for default-src 'none', 5 for frame-ancestors, 5 for the referrer, 10 for resources.
        (Inbound(), 130),
        (Inbound(headers=SecurityHeaders(preset="pages")), 125),
        (Inbound(cors=Cors(origins=("*",))), 130),
        (Inbound(cors=Cors(origins=("https://a.example",), credentials=True)), 130),
        (Inbound(headers=SecurityHeaders(frame="same-origin", resource="same-site")), 130),
    ],
)
def test_the_presets_get_the_best_grade(inbound: Inbound, points: int) -> None:
    headers = scanned(inbound)
    assert (score(headers), grade(score(headers)), letters(headers)) == (points, "A+", "A+")


def test_a_nonce_costs_nothing() -> None:
    headers = scanned(Inbound(headers=SecurityHeaders(preset="pages")), asks_nonce=True)
    assert "'nonce-" in headers["content-security-policy"]
    assert (grade(score(headers)), letters(headers)) == ("A+", "A+")


def test_the_default_gives_pages_theirs() -> None:
    headers = scanned(Inbound(), media=b"text/html; charset=utf-8", asks_nonce=True)
    assert "'nonce-" in headers["content-security-policy"]
    assert (score(headers), letters(headers)) == (125, "A+")


@pytest.mark.parametrize(
    ("headers", "observatory"),
    [
        (None, "D"),
        (SecurityHeaders(csp=None), "B"),
        (SecurityHeaders(csp=(("script-src", ("unsafe-inline",)),)), "B+"),
        (SecurityHeaders(hsts=None), "B+"),
        (SecurityHeaders(hsts=Hsts(max_age_s=86400.0), csp=(("script-src", ("*",)),)), "B"),
        (SecurityHeaders(referrer="unsafe-url", frame=None), "B"),
    ],
)
def test_what_is_turned_off_costs(headers: SecurityHeaders | None, observatory: str) -> None:
    found = scanned(Inbound(headers=headers))
    assert grade(score(found)) == observatory
    if headers is None or headers.csp is None or headers.hsts is None:
        assert letters(found) != "A+"


def test_the_documentation_of_fastapi_is_worth_less() -> None:
    """Its pages have scripts inline: the price of its policy, on its paths alone."""
    assert grade(score(scanned(Inbound(), path="/docs"))) != "A+"


def test_data_gets_the_best_grade_where_it_wears_all() -> None:
    """One of the scanners counts headers of pages wherever it looks."""
    full = scanned(Inbound(headers=SecurityHeaders(data="full")), media=b"application/json")
    brief = scanned(Inbound(), media=b"application/json")
    assert (grade(score(full)), letters(full)) == ("A+", "A+")
    assert (grade(score(brief)), letters(brief)) == ("A+", "C")
