"""Problem documents as answers of Starlette and FastAPI apps."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shop.problem import CONTENT_TYPE, problem

CODES = {404: "not_found", 405: "method_not_allowed"}


def refusal(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem document as an answer."""
    return JSONResponse(problem(status, code, detail), status, headers, CONTENT_TYPE)


async def http_error(request: Request, error: Exception) -> Response:
    """Answer what the framework or a route refuses: an unknown address, a wrong method."""
    assert isinstance(error, HTTPException), "registered for nothing else"  # noqa: S101
    detail = error.detail if error.status_code != 404 or error.detail != "Not Found" else ""
    return refusal(
        error.status_code,
        CODES.get(error.status_code, "refused"),
        detail or f"There is nothing at {request.url.path}.",
        error.headers,
    )
