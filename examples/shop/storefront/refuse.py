"""Errors as answers: pages for people; for programs JSON, of which the wrapper makes problems."""

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from shop.storefront.errors import ShopError
from shop.storefront.render import render

TITLES = {404: "Not found", 422: "That did not work", 503: "One moment, please"}


def _for_programs(request: Request) -> bool:
    return request.url.path.startswith("/api/")


async def _page(request: Request, status: int, message: str) -> Response:
    title = TITLES.get(status, "Something went wrong")
    return await render(request, "error.html", status=status, title=title, message=message)


async def shop_error(request: Request, error: ShopError) -> Response:
    """Answer what the shop itself refuses."""
    if _for_programs(request):
        body = {"code": error.code, "detail": str(error)}
        response: Response = JSONResponse(body, error.status)
    else:
        response = await _page(request, error.status, str(error))
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


async def framework_error(request: Request, error: HTTPException) -> Response:
    """Answer an unknown address or a wrong method."""
    if _for_programs(request):
        return await http_exception_handler(request, error)
    if error.status_code == 404:
        return await _page(request, 404, "There is no such page.")
    return await _page(request, error.status_code, error.detail)


async def wrong_input(request: Request, error: RequestValidationError) -> Response:
    """Answer parameters or a body that are not what was asked for."""
    if _for_programs(request):
        return await request_validation_exception_handler(request, error)
    return await _page(request, 404, "There is no such page.")


async def orders_busy(request: Request, error: sqlite3.OperationalError) -> Response:
    """Answer while the order book can't be written."""
    del error
    message = "We can't take orders right now. Please send the same order again in a moment."
    response = await _page(request, 503, message)
    response.headers["Retry-After"] = "1"
    return response


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    ShopError: shop_error,
    HTTPException: framework_error,
    RequestValidationError: wrong_input,
    sqlite3.OperationalError: orders_busy,
}
