"""An answer that any thread may give: what Granian can do, handed on to the shell.

Granian has an object for each request that takes one answer, from whichever thread, and drops those
that come after it. Its wrapper around WSGI apps keeps that object to itself, and works in the
thread that Granian called.
"""

from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import Any

from mainstay.service.inbound.serving.crew import Crew
from mainstay.service.inbound.serving.workers import Workers
from mainstay.service.inbound.wsgi.watch import ANSWER_KEY

# Any: what Granian passes to its own functions has no types of ours.
Call = Callable[[Any, dict[str, Any]], Any]


def lend_answers(server: Any, workers: Workers, crew: Crew, probes: Container[str]) -> None:
    """Have Granian put the way to answer into the environ of every request of this process.

    A request without a body goes to a thread of ours. One with a body stays in Granian's, since
    Granian ends the body when that thread returns; so does a probe, which waits for nobody, and
    others while requests are late.

    Args:
        server: The module ``granian.server.mt``. There is no door for this, and a process that
            serves has no other server.
        workers: Where requests go.
        crew: Granian's threads.
        probes: Paths of probes.
    """
    wrap = server._wsgi_call_wrap  # noqa: SLF001  As said.
    server._wsgi_call_wrap = _lending(wrap, workers, crew, probes)  # noqa: SLF001  As said.


def _lending(
    wrap: Callable[..., Call], workers: Workers, crew: Crew, probes: Container[str]
) -> Any:
    put, handed_on = workers.put, crew.handed_on

    def wrapped(*arguments: Any) -> Call:
        call = wrap(*arguments)

        def lent(protocol: Any, scope: dict[str, Any]) -> None:
            scope[ANSWER_KEY] = protocol.response_bytes
            job = partial(_answer, call, protocol, scope)
            if _may_have_body(scope) or scope["PATH_INFO"] in probes:
                do = job
            elif workers.is_late:
                do = partial(workers.help, job)
            else:
                put(job)
                handed_on()
                return
            crew.stay()
            try:
                do()
            finally:
                crew.come_back()

        return lent

    return wrapped


def _may_have_body(scope: Mapping[str, Any]) -> bool:
    """Return whether the shell waits for anything to read, for which it has a bound.

    Any: an environ holds anything.
    """
    if "HTTP_TRANSFER_ENCODING" in scope:
        return True
    length: str = scope.get("CONTENT_LENGTH", "")
    if length:
        return bool(length.strip("0"))
    # Later versions need neither header for a body; that of a GET is nobody's.
    return bool(scope["REQUEST_METHOD"] != "GET" and scope["SERVER_PROTOCOL"] > "HTTP/1.1")


def _answer(call: Call, protocol: Any, scope: dict[str, Any]) -> None:
    """Have a request answered, be it by saying that it failed, as Granian does where it calls.

    Any: as above.
    """
    try:
        call(protocol, scope)
    except BaseException:
        # Of an answer that has begun this is dropped.
        protocol.response_bytes(500, [], b"")
        raise
