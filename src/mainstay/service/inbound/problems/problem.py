"""Problem documents (RFC 9457): what a client is told when its request fails. Pure.

Written by hand and not by ``json.dumps``, since under overload most answers are these: what is the
same for every problem of a kind is written once, when the service starts.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from json.encoder import encode_basestring_ascii as quoted

from mainstay.service.inbound.problems.conversion import (
    Told,
    is_convertible,
    is_page_asked_for,
    told,
)
from mainstay.service.inbound.problems.error_page import HTML_TYPE, error_page, is_page_preferred
from mainstay.service.inbound.problems.problem_kinds import KINDS
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.perimeter import PROBLEM_TYPES

PROBLEM_TYPE = "application/problem+json"
VARY = (b"vary", b"Accept")
"""Of every refusal: for browsers it is a page."""

_BLANK = "about:blank"
"""The type of what is no more than its status (RFC 9457, section 4.2.1)."""

_UNKNOWN = (0, "")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Problems:
    """Writes problem documents; one for a service, safe to share.

    Args:
        types: What the slug of a kind is put behind to make its ``type``: ``inbound.errors.types``.
    """

    __slots__ = ("_heads", "_types")

    def __init__(self, types: str = PROBLEM_TYPES) -> None:
        self._types = types
        self._heads = {
            kind: (known.status, _head(types + kind, known.title, known.status))
            for kind, known in KINDS.items()
        }

    def render(self, refusal: Refusal, trace_id: str, request_id: str | None) -> bytes:
        """Return the document of a refusal, in ASCII.

        Args:
            refusal: Why; its detail is told as it is.
            trace_id: Finds the request in logs and traces.
            request_id: Likewise; None leaves it out.
        """
        status, head = self._heads.get(refusal.kind, _UNKNOWN)
        if status != refusal.status:
            # A kind that the table doesn't know, or another status than the table's.
            head = _head(self._types + refusal.kind, refusal.title, refusal.status)
        return (head + ',"detail":' + quoted(refusal.detail) + _ids(trace_id, request_id)).encode()

    def answer(
        self, refusal: Refusal, trace_id: str, request_id: str | None, accept: bytes | None
    ) -> tuple[str, bytes]:
        """Return content type and body for who was refused: a page for browsers.

        Args:
            refusal: Why.
            trace_id: As for ``render``.
            request_id: As for ``render``.
            accept: What the client takes, as it said.
        """
        if is_page_preferred(accept):
            return HTML_TYPE, error_page(refusal, trace_id, request_id)
        return PROBLEM_TYPE, self.render(refusal, trace_id, request_id)

    def convert(
        self,
        status: int,
        content_type: str | None,
        body: bytes,
        trace_id: str,
        request_id: str | None,
        *,
        accept: bytes | None = None,
    ) -> bytes | None:
        """Return the problem document for an error that the app answered by itself.

        Of a 5xx nothing of the body is kept. Of a 4xx the sentence is, and the list of faults;
        members that the app's JSON has beside them stay, as extension members.

        Args:
            status: Of the answer, 400 to 599.
            content_type: As the app sent it; None where it sent none.
            body: The whole of it, not encoded.
            trace_id: Finds the request in logs and traces.
            request_id: Likewise; None leaves it out.
            accept: What the client takes, as it said.

        Returns:
            The document; None where the answer should stay as it is, because it is a problem
            already, a 4xx in a form of the app's own (``application/xml``), or a page for a
            browser.
        """
        if not is_convertible(status, content_type):
            return None
        if is_page_asked_for(status, content_type, accept):
            return None
        found = told(status, content_type, body)
        if found is None:
            return None
        head = self._head_of(status, found)
        # Frameworks like to say the words of the status, which are the title already.
        said = found.detail
        detail = "" if said in (None, phrase(status)) else ',"detail":' + quoted(said)
        try:
            members = _members(found.members)
        except (ValueError, RecursionError):
            # Readers of JSON take what writers don't: 1e999, or a depth at the very limit.
            members = ""
        return (head + detail + members + _ids(trace_id, request_id)).encode()

    def _head_of(self, status: int, found: Told) -> str:
        if found.kind is not None:
            return _head(self._types + found.kind, KINDS[found.kind].title, status)
        return _head(_BLANK, phrase(status), status)


def phrase(status: int) -> str:
    """Return the words that HTTP has for a status, or what is known of any such status."""
    known = _PHRASES.get(status)
    if known is None:
        return "Client Error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "Server Error"
    return known


def _head(type_: str, title: str, status: int) -> str:
    return f'{{"type":{quoted(type_)},"title":{quoted(title)},"status":{status}'


def _ids(trace_id: str, request_id: str | None) -> str:
    """Return the members that end a document. A trusted peer's id may be any text."""
    if request_id is None:
        return ',"trace_id":' + quoted(trace_id) + "}"
    return ',"trace_id":' + quoted(trace_id) + ',"request_id":' + quoted(request_id) + "}"


def _members(members: Mapping[str, object]) -> str:
    return "".join(
        f",{quoted(name)}:{json.dumps(value, allow_nan=False)}" for name, value in members.items()
    )
