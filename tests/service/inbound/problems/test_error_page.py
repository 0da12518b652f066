"""Refusals as pages: who gets one, and that nothing in it is anybody else's."""

import json
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.shells import Asgi, Kind, Wsgi

from mainstay.service.inbound.problems.error_page import error_page, is_page_preferred
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.service import Service
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import quota
from mainstay.spec.perimeter import Errors
from mainstay.spec.ratelimit import RateLimit

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
LIMIT = Inbound(rate_limit=(RateLimit(rate=quota("1/d")),), access_log=False)

TAGS = {"html", "head", "meta", "title", "body", "main", "h1", "p", "small", "code"}


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize(
    "accept",
    [
        CHROME,
        "text/html",
        "TEXT/HTML;level=1 ; q=0.5, */*",
        "application/json;q=0.9, text/html",
        "text/html;q=0.4, application/problem+json;q=0.3",
        "nonsense, text/html",
    ],
)
def test_browsers_get_a_page(accept: str) -> None:
    assert is_page_preferred(accept.encode())


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/json",
        "application/json, text/html",
        "text/html;q=0",
        "text/html;q=0.5, application/ld+json;q=0.6",
        "text/htmlx",
        "x/text/html",
        ",".join(["image/png"] * 16) + ",text/html",
    ],
)
def test_programs_get_json(accept: str) -> None:
    assert not is_page_preferred(accept.encode())
    assert not is_page_preferred(None)


@given(accept=st.binary(max_size=200), text=st.text(alphabet=";,=q.01 \t/htmlTEX*", max_size=60))
def test_whatever_is_said_is_read(accept: bytes, text: str) -> None:
    assert is_page_preferred(accept) in {True, False}
    assert is_page_preferred(b"text/html" + text.encode()) in {True, False}


@given(text=st.text(max_size=200))
def test_nothing_that_is_told_becomes_a_part_of_the_page(text: str) -> None:
    """Neither an id that a proxy made nor a detail; and no tag could do any harm."""
    text = text.replace("\r", "")
    refusal = Refusal(status=400, kind="k", title=text, detail=text)
    page = Page(error_page(refusal, "t" * 32, text).decode("ascii"))
    assert page.tags == TAGS
    assert page.attributes == {"lang", "charset", "name", "content"}
    if "\0" not in text and text.isprintable():
        assert page.said.count(text) >= 4 or not text


@pytest.fixture(params=[Asgi, Wsgi], ids=["asgi", "wsgi"])
def limited(request: pytest.FixtureRequest, make_service: Callable[..., Service]) -> Kind:
    made = request.param(make_service(inbound=LIMIT))
    assert isinstance(made, Kind)
    made.ask("/")
    return made


def test_a_browser_that_is_refused_gets_a_page_with_the_ids(limited: Kind) -> None:
    answer = limited.ask("/", accept=CHROME)
    assert answer.status == 429
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert "retry-after" in answer.headers
    said = Page(answer.body.decode("ascii")).said
    assert "Too many requests" in said
    assert "Status 429." in said
    assert answer.headers["x-request-id"] in said


def test_it_is_shown_under_the_policy_that_it_wears(limited: Kind) -> None:
    """No script, no style, nothing to load: whatever the policy forbids, nothing is missing."""
    answer = limited.ask("/", accept=CHROME)
    assert "content-security-policy" in answer.headers
    page = answer.body.decode("ascii").lower()
    for word in ("<script", "<style", "style=", "<link", "src=", "href=", "javascript:", "onload"):
        assert word not in page


def test_caches_keep_pages_and_documents_apart(limited: Kind) -> None:
    for accept in (CHROME, "application/json"):
        assert "Accept" in limited.ask("/", accept=accept).headers["vary"]


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/problem+json"])
def test_all_others_get_the_document(limited: Kind, accept: str) -> None:
    answer = limited.ask("/", accept=accept)
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body)["status"] == 429


@pytest.mark.parametrize(
    "path", ['/"><script>alert(1)</script>', "/</title><img src=x>", "/%3Cscript%3E", "/{0.env}"]
)
def test_a_hostile_path_is_not_in_it(limited: Kind, path: str) -> None:
    usual = limited.ask("/", accept=CHROME)
    hostile = limited.ask(path, accept=CHROME)
    ids = len(hostile.headers["x-request-id"]), len(usual.headers["x-request-id"])
    assert len(hostile.body) - ids[0] == len(usual.body) - ids[1]
    for word in (b"alert", b"img", b"script", b"{0"):
        assert word not in hostile.body


def test_a_head_gets_no_body(limited: Kind) -> None:
    answer = limited.ask("/", method="HEAD", accept=CHROME)
    assert (answer.status, answer.body) == (429, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("kind", [Asgi, Wsgi])
@pytest.mark.parametrize("app", ["as_is", "problem"])
def test_an_app_that_raises_shows_people_a_page(
    make_service: Callable[..., Service], kind: type[Kind], app: str
) -> None:
    inbound = Inbound(errors=Errors(app=app), access_log=False)
    answer = kind(make_service(inbound=inbound)).ask("/raises", accept=CHROME)
    assert (answer.status, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert b"secret" not in answer.body
    assert answer.headers["x-request-id"].encode() in answer.body
