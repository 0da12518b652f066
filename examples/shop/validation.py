"""What FastAPI finds wrong with a request, as a problem document with every fault in it."""

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from shop.answers import refusal

FAULTS_MAX = 10
"""Faults of one answer; a request with more is not about to be mended by hand."""


async def invalid(request: Request, error: Exception) -> Response:
    """Answer a request whose parameters or body are not what was asked for."""
    del request
    assert isinstance(error, RequestValidationError), "registered for nothing else"  # noqa: S101
    # loc[0] says where in the request ("query", "body"); what was sent is not repeated.
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'][1:]) or fault['loc'][0]}: {fault['msg']}"
        for fault in error.errors()[:FAULTS_MAX]
    ]
    return refusal(422, "invalid", "; ".join(faults))
