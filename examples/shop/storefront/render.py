"""HTML from templates, with what every page has."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shop.money import euros
from shop.storefront.cart import Cart

CART_COOKIE = "cart"

# Pages show everything from this origin and run no script at all.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["euros"] = euros


def cart_of(request: Request) -> Cart:
    """Return the basket that the browser carries."""
    return Cart.read(request.cookies.get(CART_COOKIE, ""))


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page. Any: a template takes what it names, and StrictUndefined misses nothing."""
    page = _templates.get_template(template).render(
        {"categories": (), "query": "", "cart_count": cart_of(request).count, **values}
    )
    return HTMLResponse(page, status, HEADERS)
