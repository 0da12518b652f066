"""HTML from templates, with what every page has."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shop.money import euros
from shop.storefront.visitor import visitor_of

# A browser asks again, since the basket is on every page; nobody else keeps it.
_CACHE = {"Cache-Control": "private, no-cache"}

_FAILED = 500

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["euros"] = euros


async def render(
    request: Request, template: str, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """Return a page. Any: a template takes what it names, and StrictUndefined misses nothing."""
    # What went wrong must be told without a basket, too: that may be part of it.
    visitor = await visitor_of(request) if status < _FAILED else None
    count = 0 if visitor is None else visitor.cart.count
    page = _templates.get_template(template).render(
        {"categories": (), "query": "", "cart_count": count, **values}
    )
    return HTMLResponse(page, status, _CACHE)
