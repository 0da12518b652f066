"""An answer that any thread may give: what Granian can do, handed on to the shell.

Granian has an object for each request that takes one answer, from whichever thread, and drops those
that come after it. Its wrapper around WSGI apps keeps that object to itself.
"""

from collections.abc import Callable
from typing import Any

from mainstay.service.inbound.watch import ANSWER_KEY

# Any: what Granian passes to its own functions has no types of ours.
Call = Callable[[Any, dict[str, Any]], Any]


def lend_answers(server: Any) -> None:
    """Have Granian put the way to answer into the environ of every request of this process.

    Args:
        server: The module ``granian.server.mt``. There is no door for this, and a process that
            serves has no other server.
    """
    server._wsgi_call_wrap = _lending(server._wsgi_call_wrap)  # noqa: SLF001  As said.


def _lending(wrap: Callable[..., Call]) -> Callable[..., Call]:
    def wrapped(*arguments: Any) -> Call:
        call = wrap(*arguments)

        def lent(protocol: Any, scope: dict[str, Any]) -> Any:
            scope[ANSWER_KEY] = protocol.response_bytes
            return call(protocol, scope)

        return lent

    return wrapped
