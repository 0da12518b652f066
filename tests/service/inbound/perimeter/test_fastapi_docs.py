"""What FastAPI's documentation loads is what its policy allows, and nothing of it elsewhere."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from tests.service.inbound.perimeter.exchanges import make_exchange
from tests.service.inbound.perimeter.observatory import Policy, parsed

from mainstay.service.inbound.perimeter import Perimeter
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import SecurityHeaders

INLINE = "'unsafe-inline'"
PAGES = {
    "/docs": bytes(get_swagger_ui_html(openapi_url="/openapi.json", title="Shop").body),
    "/docs/oauth2-redirect": bytes(get_swagger_ui_oauth2_redirect_html().body),
    "/redoc": bytes(get_redoc_html(openapi_url="/openapi.json", title="Shop").body),
}


class Loads(HTMLParser):
    """What a page asks a browser to load or run, as (directive, source)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            self.found.add(("script-src", self._source(given.get("src"))))
        elif tag == "style" or given.get("style"):
            self.found.add(("style-src", INLINE))
        elif tag == "link" and given.get("rel") == "stylesheet":
            self.found.add(("style-src", self._source(given.get("href"))))
        elif tag in {"link", "img"}:
            self.found.add(("img-src", self._source(given.get("href") or given.get("src"))))

    def _source(self, url: str | None) -> str:
        if url is None:
            return INLINE
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'self'"


def forbidden(policy: Policy, page: bytes) -> set[tuple[str, str]]:
    """Return what a page loads and the policy does not allow."""
    loads = Loads()
    loads.feed(page.decode())
    assert loads.found, "the page loads nothing: is it read rightly?"
    return {
        (directive, source)
        for directive, source in loads.found
        if source not in policy.get(directive, policy["default-src"])
    }


HTML = {b"content-type": b"text/html; charset=utf-8"}


def policy_at(path: str, headers: SecurityHeaders) -> Policy:
    worn = dict(Perimeter(Inbound(headers=headers)).dress(make_exchange(path=path), HTML))
    return parsed(worn[b"content-security-policy"].decode())


@pytest.mark.parametrize("preset", ["auto", "api", "pages"])
@pytest.mark.parametrize("path", PAGES)
def test_the_documentation_may_load_what_it_loads(path: str, preset: str) -> None:
    assert forbidden(policy_at(path, SecurityHeaders(preset=preset)), PAGES[path]) == set()


@pytest.mark.parametrize("preset", ["auto", "api", "pages"])
@pytest.mark.parametrize("path", PAGES)
def test_no_other_page_may(path: str, preset: str) -> None:
    """The law above can fail: under the policy of all other paths these pages would be blank."""
    assert forbidden(policy_at("/", SecurityHeaders(preset=preset)), PAGES[path])
