"""Whether the body of a request is wanted, by its head alone. Pure."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from mainstay.control.traces.answer import Answer
from mainstay.control.traces.door import PATH
from mainstay.control.traces.intake import BODY_BYTES_MAX, ENCODINGS

JSON: Final = "application/json"
_FORMS: Final = frozenset({"application/x-protobuf", JSON})

TOO_LARGE: Final = Answer(
    status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said=f"a body is {BODY_BYTES_MAX} bytes at most"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a request; nothing of it is trusted.

    Attributes:
        method: As it was sent.
        target: With a query, perhaps.
        headers: By their names in small letters.
    """

    method: bytes
    target: bytes
    headers: Mapping[bytes, bytes]

    @property
    def form(self) -> str:
        """The type of the body, without its parameters."""
        return self.said(b"content-type").partition(";")[0].strip()

    @property
    def encoding(self) -> str:
        """How the body is compressed; empty: not at all."""
        return self.said(b"content-encoding")

    def said(self, name: bytes) -> str:
        """Return a header in small letters; empty for one that is not there."""
        return self.headers.get(name, b"").decode("latin-1").strip().lower()


def refusal(head: Head, token: str) -> Answer | None:
    """Return why the body is not wanted, or None; who is not ours learns nothing but that.

    Args:
        head: What was sent.
        token: What our replicas show.
    """
    shown = head.headers.get(b"authorization", b"")
    if not hmac.compare_digest(shown, b"Bearer " + token.encode("ascii")):
        return Answer(status=HTTPStatus.UNAUTHORIZED, said="the sender is not known here")
    if head.target.partition(b"?")[0] != PATH.encode("ascii"):
        return Answer(status=HTTPStatus.NOT_FOUND, said=f"only {PATH} is here")
    if head.method != b"POST":
        return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, said="spans are POSTed")
    length = head.said(b"content-length")
    if length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
        return TOO_LARGE
    return _refused_form(head)


def _refused_form(head: Head) -> Answer | None:
    said = ""
    if head.form not in _FORMS:
        said = f"a body is one of {', '.join(sorted(_FORMS))}"
    elif head.encoding not in ENCODINGS:
        said = "a body is not compressed, or gzip, or deflate"
    return Answer(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, said=said) if said else None
