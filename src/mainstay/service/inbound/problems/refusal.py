"""A refusal: why a request does not reach the app, and when it may come back."""

from dataclasses import dataclass
from typing import Self

from mainstay.core.errors import MainstayError
from mainstay.service.inbound.problems.problem_kinds import KINDS

RawHeaders = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, as ASGI has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a part says instead of letting a request pass.

    Attributes:
        status: Of the answer, 400 to 599.
        kind: The problem's slug in ``docs/reference/problems.md``: ``rate-limited``.
        title: What happened, in a few words that are the same for every problem of the kind.
        detail: One sentence for the client; never anything internal, nor what the client sent.
        headers: Further ones of the answer, ``Retry-After`` for one.
    """

    status: int
    kind: str
    title: str
    detail: str
    headers: RawHeaders = ()

    @classmethod
    def of(cls, kind: str, detail: str, headers: RawHeaders = ()) -> Self:
        """Return a refusal of a kind in the table, with its status and title.

        Costs a microsecond: who refuses often with the same words makes it once.

        Raises:
            KeyError: The table has no such kind.
        """
        known = KINDS[kind]
        return cls(
            status=known.status, kind=kind, title=known.title, detail=detail, headers=headers
        )


class Refused(MainstayError):
    """The request does not reach the app, or its answer does not reach the client.

    Parts that wrap the app raise it; the shell answers with the problem document.

    Args:
        refusal: What the client is told.
    """

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.detail)

    def __reduce__(self) -> tuple[object, ...]:
        return Refused, (self.refusal,)
