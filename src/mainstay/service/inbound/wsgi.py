"""The WSGI shell: the twin of the ASGI shell for apps that answer in a thread.

A health probe needs one of the server's threads, as every request does: under WSGI it waits
behind them when all are busy. ASGI has no such queue.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.service.inbound.exchange import LEFT_STATUS
from mainstay.service.inbound.health.document import HEALTH_TYPE
from mainstay.service.inbound.health.probes import ALLOWED_METHODS, Probe
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.problem import PROBLEM_TYPE, failure_problem

# Any: WSGI's environ is a dictionary of anything, and start_response has a legacy result.
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

TRACE_KEY = "mainstay.trace"
_CLOSE = ("Connection", "close")


class WsgiShell:
    """A WSGI app around a WSGI app; ``Service.wsgi`` makes it.

    What this class does not have is looked up in the wrapped app, so that
    ``app = service.wsgi(Flask(__name__))`` may be followed by ``@app.get("/")``.

    Args:
        app: The wrapped app.
        inbound: The parts of the service.
    """

    def __init__(self, app: WsgiApp, inbound: Inbound) -> None:
        self.wrapped = app
        self.inbound = inbound
        self._routes = inbound.probes.routes
        self._flights = inbound.drain.flights
        self._now_s = inbound.clock.monotonic_s
        # WSGI has no lifespan: an app that could be made has started.
        inbound.drain.started = True

    def __getattr__(self, name: str) -> Any:
        # Any: it is the wrapped app's attribute. Reached only for names that the shell lacks.
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        probe = self._routes.get(environ.get("PATH_INFO", ""))
        if probe is not None:
            return self._probe(probe, environ, start_response)
        header = environ.get("HTTP_TRACEPARENT")
        trace = arrive(
            self.inbound.rng, None if header is None else header.encode("latin-1", "replace")
        )
        environ[TRACE_KEY] = trace
        flight = _Flight(self.inbound, environ, start_response, self._now_s())
        token = enter_trace(trace)
        self._flights.add(flight)
        try:
            return flight.answer(self.wrapped(environ, flight.start_response))
        except Exception as error:  # noqa: BLE001  Whatever the app raises, its client gets an answer.
            return flight.fail(error)
        except BaseException as error:
            flight.end(type(error).__name__)
            raise
        finally:
            leave_trace(token)

    def _probe(
        self, probe: Probe, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a health probe; it is neither counted nor logged."""
        method = environ["REQUEST_METHOD"]
        if method not in ALLOWED_METHODS:
            start_response(
                "405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")]
            )
            return [b""]
        status, document = self.inbound.probes.answer(probe)
        start_response(
            "200 OK" if status == 200 else "503 Service Unavailable",  # noqa: PLR2004  The two that health has.
            [
                ("Content-Type", HEALTH_TYPE),
                ("Content-Length", str(len(document))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [b"" if method == "HEAD" else document]


class _Flight:
    """One request in flight: what is known of its answer so far."""

    __slots__ = (
        "_ended",
        "_environ",
        "_inbound",
        "_start_response",
        "_started_s",
        "size",
        "status",
    )

    def __init__(
        self, inbound: Inbound, environ: Environ, start_response: StartResponse, started_s: float
    ) -> None:
        self._inbound = inbound
        self._environ = environ
        self._start_response = start_response
        self._started_s = started_s
        self._ended = False
        self.status = 0
        self.size = 0

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        """Note the status and hand it on. Any: see the types above."""
        self.status = int(status[:3])
        if self._inbound.drain.stopping:
            # The client opens its next connection elsewhere.
            headers = [*headers, _CLOSE]
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    def answer(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body as the server may have it; the flight ends with it."""
        if type(body) is list or type(body) is tuple:
            for part in body:
                self.size += len(part)
            self.end(None)
            return body
        file_wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            # The server sends its own file wrapper without Python; a wrapper around it would undo
            # that. Its bytes are not counted.
            self.end(None)
            return body
        return _Body(body, self)

    def fail(self, error: Exception) -> Iterable[bytes]:
        """Answer for an app that raised before it returned a body; the error ends here."""
        trace_id = self._environ[TRACE_KEY].trace_id
        self._inbound.complain(
            f"mainstay: {self._environ['REQUEST_METHOD']} {_path_of(self._environ)!r} failed, "
            f"trace_id {trace_id}\n{''.join(traceback.format_exception(error))}"
        )
        document = failure_problem(trace_id)
        self.size = len(document)
        headers = [("Content-Type", PROBLEM_TYPE), ("Content-Length", str(len(document)))]
        try:
            self.start_response("500 Internal Server Error", headers, sys.exc_info())
        finally:
            self.end(type(error).__name__)
        return [document]

    def end(self, error: str | None) -> None:
        """Leave the count and write the access line; the second call does nothing."""
        if self._ended:
            return
        self._ended = True
        inbound, environ = self._inbound, self._environ
        inbound.drain.flights.discard(self)
        if inbound.access is None:
            return
        inbound.access.write(
            ended_s=inbound.clock.wall_s(),
            method=environ["REQUEST_METHOD"],
            path=_path_of(environ),
            status=self.status or LEFT_STATUS,
            duration_s=inbound.clock.monotonic_s() - self._started_s,
            size=self.size,
            trace=environ[TRACE_KEY],
            client=environ.get("REMOTE_ADDR"),
            error=error,
        )

    def in_trace(self, step: Callable[[], Any]) -> Any:
        """Take one step of a streamed body with its trace current. Any: the step's own result."""
        token = enter_trace(self._environ[TRACE_KEY])
        try:
            return step()
        except StopIteration:
            self.end(None)
            raise
        except BaseException as error:
            # The server tears the answer off and tells of the error.
            self.end(type(error).__name__)
            raise
        finally:
            leave_trace(token)


def _path_of(environ: Environ) -> str:
    """Return the path as text: WSGI has its bytes, each as one character of latin-1."""
    path: str = environ.get("PATH_INFO", "")
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")


class _Body:
    """A streamed body: in flight until it is exhausted, fails, or is closed."""

    __slots__ = ("_body", "_flight", "_next")

    def __init__(self, body: Iterable[bytes], flight: _Flight) -> None:
        self._body = body
        self._flight = flight
        self._next = iter(body).__next__

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part: bytes = self._flight.in_trace(self._next)
        self._flight.size += len(part)
        return part

    def close(self) -> None:
        """Close the app's own body, as the server must in the end, whatever happened."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                self._flight.in_trace(close)
        finally:
            self._flight.end(None)
