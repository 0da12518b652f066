"""Errors as RFC 9457 problem documents: one form in all four services."""

from http import HTTPStatus

CONTENT_TYPE = "application/problem+json"

Problem = dict[str, str | int]
"""The document. Its members beyond the standard's: ``code``, one word for programs."""


def problem(status: int, code: str, detail: str) -> Problem:
    """Return the document for ``status``; ``detail`` is one sentence for people."""
    return {"status": status, "title": HTTPStatus(status).phrase, "code": code, "detail": detail}
