"""A preflight: the answer to a browser that asks whether a page may send its request."""

from typing import NamedTuple

from mainstay.service.inbound.problems.refusal import RawHeaders


class Preflight(NamedTuple):
    """An answer without a body, given without the app.

    Attributes:
        headers: All that it needs; nothing is to be added but ids.
        status: 204.
    """

    headers: RawHeaders
    status: int = 204
