"""Errors as answers: a page for people, a problem document for programs."""

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from shop.answers import http_error, refusal
from shop.storefront.errors import ShopError
from shop.storefront.render import render
from shop.validation import invalid

TITLES = {404: "Not found", 422: "That did not work", 503: "One moment, please"}


def _for_programs(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _page(request: Request, status: int, message: str) -> Response:
    title = TITLES.get(status, "Something went wrong")
    return render(request, "error.html", status=status, title=title, message=message)


async def shop_error(request: Request, error: Exception) -> Response:
    """Answer what the shop itself refuses."""
    assert isinstance(error, ShopError), "registered for nothing else"  # noqa: S101
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if _for_programs(request):
        return refusal(error.status, error.code, str(error), headers)
    response = _page(request, error.status, str(error))
    response.headers.update(headers)
    return response


async def framework_error(request: Request, error: Exception) -> Response:
    """Answer an unknown address or a wrong method."""
    if _for_programs(request):
        return await http_error(request, error)
    assert isinstance(error, HTTPException), "registered for nothing else"  # noqa: S101
    if error.status_code == 404:
        return _page(request, 404, "There is no such page.")
    return _page(request, error.status_code, error.detail)


async def wrong_input(request: Request, error: Exception) -> Response:
    """Answer parameters or a body that are not what was asked for."""
    if _for_programs(request):
        return await invalid(request, error)
    return _page(request, 404, "There is no such page.")


async def orders_busy(request: Request, error: Exception) -> Response:
    """Answer while the order book can't be written."""
    del error
    message = "We can't take orders right now. Please send the same order again in a moment."
    if _for_programs(request):
        return refusal(503, "orders_busy", message, {"Retry-After": "1"})
    return _page(request, 503, message)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    ShopError: shop_error,
    HTTPException: framework_error,
    RequestValidationError: wrong_input,
    sqlite3.OperationalError: orders_busy,
}
