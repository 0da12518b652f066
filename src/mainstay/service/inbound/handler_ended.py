"""How a shell says that a handler ended by nothing that could be answered for."""

from mainstay.core.errors import MainstayError


class HandlerEnded(MainstayError):
    """A handler ended by neither an answer nor an error of its work; its cause says by what."""
