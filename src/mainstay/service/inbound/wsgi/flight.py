"""One request in flight over WSGI: what becomes of its answer on the way out.

The server hears of the answer when the app returns, and not when it calls ``start_response``: until
then it may still turn out to be late, or an error in other words. Not later either: there are
servers (Granian) that look no more once they have the body.
"""

import math
from collections.abc import Callable, Iterable
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from mainstay.core.trace import enter_trace, leave_trace
from mainstay.service.inbound.exchange import EXCHANGE_KEY, Exchange
from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.body import BoundedInput
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.failure import BODY_LATE, FAILED, OVERRAN, refusal_of
from mainstay.service.inbound.problems.refusal import Refusal, Refused
from mainstay.service.inbound.wsgi.body import (
    JoinedBody,
    StreamedBody,
    close_body,
    expect_parts,
    size_of,
)
from mainstay.service.inbound.wsgi.error import described, gathered, may_be_reworded, reworded
from mainstay.service.inbound.wsgi.headers import dressed
from mainstay.service.inbound.wsgi.text import (
    TextHeaders,
    pair_of,
)
from mainstay.service.inbound.wsgi.types import Environ, StartResponse
from mainstay.service.inbound.wsgi.watch import ANSWER_KEY, Answer, Watch

if TYPE_CHECKING:
    from collections import deque

    from mainstay.core.scope import Scope
    from mainstay.service.inbound.wsgi.readers import Readers

_ERRORS_FROM = 400


class ThreadFlight(Exchange):
    """One request and its answer over WSGI.

    Attributes:
        admitted: Whether it holds a slot of admission.
        deadline: The scope of its deadline; None before the app is asked.
        is_cut: Whether it was answered in the app's place since its time was up: what the app says
            from then on goes nowhere.
        is_reading: Whether its thread waits for the client's body.
        turns: Where its turn to send a body goes back to; None without one.
        given_s: When the last part of a stream was given to the server; 0 while the next is made.
        readers: Who is told of a stream that holds a place; None where nobody is.
    """

    __slots__ = (
        "_answer",
        "_counted",
        "_ended",
        "_headers",
        "_inbound",
        "_said",
        "_start_response",
        "_streams",
        "_vacated",
        "_watch",
        "_written",
        "admitted",
        "deadline",
        "given_s",
        "is_cut",
        "is_reading",
        "readers",
        "turns",
    )

    def __init__(self, inbound: Inbound, environ: Environ, start_response: StartResponse) -> None:
        self._inbound = inbound
        self._start_response = start_response
        self._ended = False
        self._counted: BoundedInput | None = None
        self._written: list[bytes] | None = None
        self._said = ""
        self._headers: TextHeaders = []
        self._answer: Answer | None = environ.pop(ANSWER_KEY, None)
        self._watch: Watch | None = None
        self._vacated = False
        self.scope = environ
        self.kind = "http"
        self.method = environ["REQUEST_METHOD"]
        path: str = environ.get("PATH_INFO", "")
        self.path = path if path.isascii() else _as_utf8(path)
        self.noted = None
        self.begun_s = 0.0
        self.status = 0
        self.size = 0
        self.error = None
        self.refusal = None
        self.admitted = False
        self.deadline: Scope | None = None
        self.is_cut = False
        self.is_reading = False
        self.turns: deque[None] | None = None
        self.given_s = 0.0
        self.readers: Readers | None = None
        self._streams: Readers | None = None

    def count_input(self) -> None:
        """Have the body counted, whose length no header says, where there is a bound for it."""
        body_max = self._inbound.perimeter.body_max
        if body_max is not None:
            self._counted = BoundedInput(self.scope["wsgi.input"], body_max)
            self.scope["wsgi.input"] = self._counted

    def watch(self, watch: Watch) -> None:
        """Have it answered when its time is up, if the server lets another thread answer."""
        if self._answer is not None:
            self._watch = watch
            watch.add(self)

    def claim(self) -> bool:
        """Return whether the answer is this thread's to give; if so, nobody else does any more."""
        watch, self._watch = self._watch, None
        if watch is not None and not watch.take(self):
            self.is_cut = True
        return not self.is_cut

    def cut(self) -> None:
        """Answer in the app's place, in the thread of the watch."""
        # First of all: a thread that has just read its body then finds that it is too late.
        self.is_cut = True
        is_reading = self.is_reading
        token = enter_trace(self)
        try:
            self.refusal = refusal = BODY_LATE if is_reading else OVERRAN
            document, headers = self._document(refusal)
            self.begun_s = self._inbound.clock.monotonic_s()
            if is_reading:
                # It waits for its client and works for nobody: neither a place is for that, nor
                # the time of the drain.
                self._inbound.drain.flights.discard(self)
                self._vacated, self.admitted = self.admitted, False
            assert self._answer is not None, "only such are watched"
            # By what is at hand here: the app may say another in this very moment.
            self._answer(refusal.status, dressed(self, self._inbound, headers), document)
        finally:
            leave_trace(token)

    def after_cut(self) -> None:
        """Give back what the answer in the app's place made free, and tell who listens."""
        refusal, admission = self.refusal, self._inbound.admission
        token = enter_trace(self)
        try:
            if self._vacated and admission is not None:
                admission.leave(self, self.begun_s)
            if refusal is not None:
                self._inbound.refused(self, refusal)
        finally:
            leave_trace(token)

    def is_late(self) -> bool:
        """Return whether its time is up, and no answer has begun."""
        now = self._inbound.now_s
        return not self.begun_s and now() >= self.expires_s

    def start_response(
        self, status: str, headers: TextHeaders, exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Note how the answer begins; it leaves with its first part. Any: WSGI's own triple."""
        if exc_info is not None and self.begun_s:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.is_cut:
            return _drop
        self._said, self._headers = status, headers
        self.status = int(status[:3])
        return self._write

    # With many branches, since each frame more is paid by each request.
    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body as the server may have it; the flight ends with it."""
        if not self._said:
            # A generator says how its answer begins when its first part is asked for.
            body = JoinedBody(list(islice(rest := iter(body), 1)), rest, body)
            self._expect_said()
        if self._written is not None:
            body = JoinedBody(self._written, iter(body), body)
        is_error = (
            self.status >= _ERRORS_FROM
            and may_be_reworded(self._inbound, self.status, self._headers)
            and not self.is_cut
        )
        if is_error:
            # Its client has nothing yet, and so its deadline holds on.
            body = gathered(body, self._headers)
        late = self.is_late()
        if not self.claim():
            close_body(body)
            return self._nowhere()
        if late or (self._counted is not None and self._counted.exceeded):
            close_body(body)
            return self.refuse(OVERRAN if late or self._counted is None else self._counted.refusal)
        if is_error and type(body) is list:
            self._headers, body = reworded(self._inbound, self, self._headers, body)
        if type(body) is list or type(body) is tuple:
            self.size = size_of(body)
            self.begin()
            self.end(None)
            # As one: parts of a tuple a server may hand out one by one, to a client that is slow.
            return body if type(body) is list else list(body)
        expect_parts(body)
        file_wrapper = self.scope.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            # The server sends its own file wrapper without Python; a wrapper around it would undo
            # that. Its bytes are not counted.
            self.begin()
            self.end(None)
            return body
        self.begin()
        if self.admitted and self.readers is not None:
            self._streams = self.readers
            self._streams.add(self)
        return StreamedBody(body, self, self._inbound.clock.monotonic_s)

    def _expect_said(self) -> None:
        if not self._said and not self.is_cut:
            raise HandlerEnded("the app answered without a call of start_response")

    def begin(self) -> None:
        """Tell the server how the answer begins, once."""
        now = self._inbound.now_s
        self.begun_s = now()
        if self.deadline is not None:
            # From here on a stream may take as long as it likes, and so may calls that it makes.
            self.deadline.expires_s = self.expires_s = math.inf
        self._start_response(self._said, dressed(self, self._inbound, self._headers))

    def turn_away(self, said: Refusal | Preflight) -> Iterable[bytes]:
        """Answer in the app's place."""
        if isinstance(said, Refusal):
            return self.refuse(said)
        self.status, self.begun_s = said.status, self._inbound.clock.monotonic_s()
        headers = [pair_of(name, value) for name, value in said.headers]
        headers.append(("X-Request-Id", self.request_id))
        self._start_response("204 No Content", headers)
        self.end(None)
        return []

    def refuse(self, refusal: Refusal) -> Iterable[bytes]:
        """Answer with a refusal, which ends the flight.

        Raises:
            Refused: An answer has begun: the server tears it off.
        """
        if not self.claim():
            return self._nowhere()
        if self.begun_s:
            self.end(self.error or Refused.__name__)
            raise Refused(refusal)
        document, self._headers = self._problem(refusal)
        self._said = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
        try:
            self.begin()
        finally:
            self.end(self.error)
        return [document]

    def drop(self, body: Iterable[bytes]) -> None:
        """Close what an app gave and nobody gets; where that fails, it is told."""
        try:
            close_body(body)
        except Exception as error:  # noqa: BLE001  The app's, beside what its client is told.
            self._inbound.failed(self, error)

    def fail(self, error: BaseException) -> Iterable[bytes]:
        """Answer for an app that raised; the error ends here unless an answer has begun."""
        self.error = type(error).__name__
        refusal = refusal_of(error)
        if not self.claim():
            if refusal is FAILED:
                self._inbound.report(self, error)
            return self._nowhere()
        if self.begun_s:
            self._inbound.report(self, error)
            self.end(self.error)
            if isinstance(error, Exception):
                raise error
            raise HandlerEnded(f"the handler ended by {self.error}") from error
        if self.is_late():
            refusal = OVERRAN
        if refusal is FAILED:
            self._inbound.report(self, error)
        elif refusal is OVERRAN:
            self._inbound.complain_of(self, error)
        return self.refuse(refusal)

    def broke(self, error: BaseException) -> None:
        """End with an answer of which the rest can't be made."""
        self._inbound.report(self, error)
        self.end(type(error).__name__)

    def end(self, error: str | None) -> None:
        """Give back what it holds and tell the observer; the second call does nothing."""
        if self._ended:
            return
        self._ended = True
        self.error = error
        if self.is_cut and self.refusal is not None:
            # The app may have said another in the very moment.
            self.status = self.refusal.status
        inbound = self._inbound
        now = inbound.now_s
        ended_s = now()
        inbound.drain.flights.discard(self)
        self._leave(ended_s)
        if self.turns is not None:
            self.turns.append(None)
        if inbound.telling.observer is not None:
            inbound.telling.observer.ended(self, ended_s)
        # The environ leads to the flight and the flight to the environ: a circle for the collector
        # in every request, with all that the framework hung on it.
        self.scope.pop(EXCHANGE_KEY, None)

    def _leave(self, now_s: float) -> None:
        """Give the place of admission back, if it has one."""
        streams, self._streams = self._streams, None
        if streams is not None and not streams.take(self):
            # Somebody who needed it has taken it.
            self.admitted = False
        if self.admitted and self._inbound.admission is not None:
            self.admitted = False
            self._inbound.admission.leave(self, now_s)

    def make_room(self) -> None:
        """Give the place back, in another thread, which has taken it."""
        admission = self._inbound.admission
        assert admission is not None, "a place is of admission"
        admission.leave(self, self._inbound.clock.monotonic_s())

    def _nowhere(self) -> Iterable[bytes]:
        """End without an answer: the client has had one."""
        self.end(self.error)
        return []

    def _problem(self, refusal: Refusal) -> tuple[bytes, TextHeaders]:
        """Note that it ends with a refusal, and return the body and the headers for it."""
        self._inbound.refused(self, refusal)
        return self._document(refusal)

    def _document(self, refusal: Refusal) -> tuple[bytes, TextHeaders]:
        """As ``_problem``, and tell nobody."""
        kind, document = self._inbound.told(self, refusal)
        self.status, self.size = refusal.status, len(document)
        headers = [
            *described(kind, document),
            *(pair_of(name, value) for name, value in refusal.headers),
        ]
        return b"" if self.method == "HEAD" else document, headers

    def _write(self, data: bytes) -> None:
        # The way of old apps. Kept until they return, since there are servers without it (Granian),
        # and an answer in one piece can still be exchanged for another.
        if self._written is None:
            self._written = []
        self._written.append(data)


def _as_utf8(path: str) -> str:
    """Return a path as text: WSGI has its bytes, each as one character of latin-1."""
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _drop(data: bytes) -> None:
    """Take what is written for a client that was answered already."""
