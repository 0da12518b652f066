"""One request in flight over WSGI: what becomes of its answer on the way out.

The server hears of the answer when the app returns, and not when it calls ``start_response``: until
then it may still turn out to be late, or an error in other words. Not later either: there are
servers (Granian) that look no more once they have the body.
"""

import math
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from http import HTTPStatus
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from mainstay.service.inbound.encoded import decoded
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.failure import FAILED, OVERRAN, refusal_of
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.body import BoundedInput
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problem import PROBLEM_TYPE
from mainstay.service.inbound.refusal import RawHeaders, Refusal, Refused

if TYPE_CHECKING:
    from mainstay.core.deadline import Scope

# Any: WSGI's environ is a dictionary of anything, and start_response has a legacy result.
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
TextHeaders = list[tuple[str, str]]

HELD_BYTES_MAX = 65_536
"""So much of an error's body is read to make a problem document of it."""

_CLOSE = ("Connection", "close")
_ERRORS_FROM = 400
_EVENTS = "text/event-stream"
_NOT_KEPT = frozenset({"content-type", "content-length", "content-encoding"})


class ThreadFlight(Exchange):
    """One request and its answer over WSGI.

    Attributes:
        admitted: Whether it holds a slot of admission.
        deadline: The scope of its deadline; None before the app is asked.
    """

    __slots__ = (
        "_counted",
        "_ended",
        "_headers",
        "_inbound",
        "_said",
        "_start_response",
        "_written",
        "admitted",
        "deadline",
    )

    def __init__(self, inbound: Inbound, environ: Environ, start_response: StartResponse) -> None:
        self._inbound = inbound
        self._start_response = start_response
        self._ended = False
        self._counted: BoundedInput | None = None
        self._written: list[bytes] | None = None
        self._said = ""
        self._headers: TextHeaders = []
        self.scope = environ
        self.kind = "http"
        self.method = environ["REQUEST_METHOD"]
        self.path = _path_of(environ)
        self.noted = None
        self.begun_s = 0.0
        self.status = 0
        self.size = 0
        self.error = None
        self.refusal = None
        self.admitted = False
        self.deadline: Scope | None = None

    def count_input(self) -> None:
        """Have the body counted, whose length no header says."""
        body_max = self._inbound.perimeter.body_max
        assert body_max is not None, "counted only where there is a bound"
        self._counted = BoundedInput(self.scope["wsgi.input"], body_max)
        self.scope["wsgi.input"] = self._counted

    def start_response(
        self, status: str, headers: TextHeaders, exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Note how the answer begins; it leaves with its first part. Any: WSGI's own triple."""
        if exc_info is not None and self.begun_s:
            raise exc_info[1].with_traceback(exc_info[2])
        self._said, self._headers = status, headers
        self.status = int(status[:3])
        return self._write

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body as the server may have it; the flight ends with it."""
        if not self._said:
            # A generator says how its answer begins when its first part is asked for.
            body = _Joined(list(islice(rest := iter(body), 1)), rest, body)
        if self._written is not None:
            body = _Joined(self._written, iter(body), body)
        late = self._late()
        if late or (self._counted is not None and self._counted.exceeded):
            _close(body)
            return self.refuse(OVERRAN if late or self._counted is None else self._counted.refusal)
        if self.status >= _ERRORS_FROM and (
            self._inbound.problem_errors or self.status == FAILED.status
        ):
            body = self._converted(body)
        if type(body) is list or type(body) is tuple:
            for part in body:
                self.size += len(part)
            self.begin()
            self.end(None)
            return body
        file_wrapper = self.scope.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            # The server sends its own file wrapper without Python; a wrapper around it would undo
            # that. Its bytes are not counted.
            self.begin()
            self.end(None)
            return body
        self.begin()
        return _Body(body, self)

    def begin(self) -> None:
        """Tell the server how the answer begins, once."""
        self.begun_s = self._inbound.clock.monotonic_s()
        if self.deadline is not None:
            # From here on a stream may take as long as it likes, and so may calls that it makes.
            self.deadline.expires_s = math.inf
        self._start_response(self._said, self._dressed(self._headers))

    def turn_away(self, said: Refusal | Preflight) -> Iterable[bytes]:
        """Answer in the app's place."""
        if isinstance(said, Refusal):
            return self.refuse(said)
        self.status, self.begun_s = said.status, self._inbound.clock.monotonic_s()
        headers = [(_title(name), value.decode("latin-1")) for name, value in said.headers]
        headers.append(("X-Request-Id", self.request_id))
        self._start_response("204 No Content", headers)
        self.end(None)
        return []

    def refuse(self, refusal: Refusal) -> Iterable[bytes]:
        """Answer with a refusal, which ends the flight.

        Raises:
            Refused: An answer has begun: the server tears it off.
        """
        if self.begun_s:
            self.end(self.error or Refused.__name__)
            raise Refused(refusal)
        self._inbound.refused(self, refusal)
        document = self._inbound.problems.render(refusal, self.trace.trace_id, self.request_id)
        self.status, self.size = refusal.status, len(document)
        self._said = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        self._headers = [
            ("Content-Type", PROBLEM_TYPE),
            ("Content-Length", str(len(document))),
            *((_title(name), value.decode("latin-1")) for name, value in refusal.headers),
        ]
        try:
            self.begin()
        finally:
            self.end(self.error)
        return [b"" if self.method == "HEAD" else document]

    def fail(self, error: Exception) -> Iterable[bytes]:
        """Answer for an app that raised; the error ends here unless an answer has begun."""
        self.error = type(error).__name__
        if self.begun_s:
            self._inbound.failed(self, error)
            self.end(self.error)
            raise error
        refusal = OVERRAN if self._late() else refusal_of(error)
        if refusal is FAILED or refusal is OVERRAN:
            self._inbound.complain(
                f"mainstay: {self.method} {self.path!r} failed, "
                f"trace_id {self.trace.trace_id}\n{''.join(traceback.format_exception(error))}"
            )
        if refusal is FAILED:
            self._inbound.failed(self, error)
        return self.refuse(refusal)

    def broke(self, error: BaseException) -> None:
        """End with an answer of which the rest can't be made."""
        self._inbound.failed(self, error)
        self.end(type(error).__name__)

    def end(self, error: str | None) -> None:
        """Give back what it holds and tell the observer; the second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self.error = error
        inbound = self._inbound
        ended_s = inbound.clock.monotonic_s()
        inbound.drain.flights.discard(self)
        if self.admitted and inbound.admission is not None:
            inbound.admission.leave(self, ended_s)
        if inbound.observer is not None:
            inbound.observer.ended(self, ended_s)

    def _late(self) -> bool:
        scope = self.deadline
        return scope is not None and self._inbound.clock.monotonic_s() >= scope.expires_s

    def _write(self, data: bytes) -> None:
        # The way of old apps. Kept until they return, since there are servers without it (Granian),
        # and an answer in one piece can still be exchanged for another.
        if self._written is None:
            self._written = []
        self._written.append(data)

    def _header(self, wanted: str) -> str | None:
        return next((value for name, value in self._headers if name.lower() == wanted), None)

    def _dressed(self, headers: TextHeaders) -> TextHeaders:
        """Return the headers of the answer with everything that parts add to them."""
        inbound = self._inbound
        perimeter = inbound.perimeter
        names = {(_LOWER.get(name) or _lower(name)): value for name, value in headers}
        if perimeter.hidden and not perimeter.hidden.isdisjoint(names):
            headers = [one for one in headers if _lower(one[0]) not in perimeter.hidden]
        headers = [*headers, *_as_text(perimeter.dress(self, names))]
        if self.noted is not None:
            for name, value in self.noted:
                headers.append((_TITLES.get(name) or _title(name), value.decode("latin-1")))
        if b"x-request-id" not in names:
            headers.append(("X-Request-Id", self.request_id))
        if inbound.drain.stopping:
            # The client opens its next connection elsewhere.
            headers.append(_CLOSE)
        return headers

    def _converted(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return an error of the app as a problem document, or as it is where it stays so."""
        kind = self._header("content-type")
        if kind is not None and kind.startswith(_EVENTS):
            return body
        # A second part without a length is a stream's, whose reader waits for each. Nobody can
        # tell from the first alone, since whole bodies of one part often come without, too.
        is_whole = type(body) is list or type(body) is tuple or self._header("content-length")
        parts: list[bytes] = []
        size = 0
        rest = iter(body)
        for part in rest:
            is_second = size > 0 and part
            parts.append(part)
            size += len(part)
            if size > HELD_BYTES_MAX or (is_second and not is_whole):
                return _Joined(parts, rest, body)
        encoding = self._header("content-encoding") or ""
        plain = decoded(b"".join(parts), encoding, bytes_max=HELD_BYTES_MAX)
        document = self._inbound.document_of(self, kind, plain)
        _close(body)
        if document is None:
            return parts
        self._headers = [
            ("Content-Type", PROBLEM_TYPE),
            ("Content-Length", str(len(document))),
            *(pair for pair in self._headers if pair[0].lower() not in _NOT_KEPT),
        ]
        return [b"" if self.method == "HEAD" else document]


class _Body:
    """A streamed body: in flight until it is exhausted, fails, or is closed.

    Each step runs in the context of the app's call: its trace, its deadline, and whatever context
    variables the app has set.
    """

    __slots__ = ("_body", "_flight", "_next", "_run")

    def __init__(self, body: Iterable[bytes], flight: ThreadFlight) -> None:
        self._body = body
        self._flight = flight
        self._next = iter(body).__next__
        self._run = copy_context().run

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        flight = self._flight
        try:
            part = self._run(self._next)
        except StopIteration:
            flight.end(None)
            raise
        except BaseException as error:
            # The server tears the answer off and tells of the error.
            flight.broke(error)
            raise
        flight.size += len(part)
        return part

    def close(self) -> None:
        """Close the app's own body, as the server must in the end, whatever happened."""
        try:
            self._run(_close, self._body)
        finally:
            self._flight.end(None)


class _Joined:
    """A body of which a part was read already."""

    def __init__(self, parts: list[bytes], rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._parts = chain(parts, rest)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        """Close the app's own body."""
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _path_of(environ: Environ) -> str:
    """Return the path as text: WSGI has its bytes, each as one character of latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


_NAMES_MAX = 512
"""Of headers that are remembered in the other form; an app has few."""

_LOWER: dict[str, bytes] = {}
_TITLES: dict[bytes, str] = {}
_last: tuple[RawHeaders, TextHeaders] = ((), [])


def _lower(name: str) -> bytes:
    """Return the name of a header as parts have it."""
    lower = name.lower().encode("latin-1", "replace")
    if len(_LOWER) < _NAMES_MAX:
        _LOWER[name] = lower
    return lower


def _title(name: bytes) -> str:
    """Return the name of a header as WSGI has it."""
    title = name.decode("latin-1").title()
    if len(_TITLES) < _NAMES_MAX:
        _TITLES[name] = title
    return title


def _as_text(headers: RawHeaders) -> TextHeaders:
    """Return headers as WSGI has them. What is the same for all requests is decoded once."""
    global _last  # noqa: PLW0603  One tuple, read and written whole: threads see both or neither.
    known, text = _last
    if known is not headers:
        text = [(_title(name), value.decode("latin-1")) for name, value in headers]
        _last = (headers, text)
    return text
