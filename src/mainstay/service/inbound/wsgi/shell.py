"""The WSGI shell: the twin of the ASGI shell for apps that answer in a thread."""

from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

from mainstay.core.scope import back, current, enter, new_scope
from mainstay.core.trace import enter_trace, leave_trace, new_span_id, request_id_of
from mainstay.service.inbound.deadline import allowed_s
from mainstay.service.inbound.exchange import EXCHANGE_KEY, Exchange
from mainstay.service.inbound.health.document import HEALTH_HEADERS
from mainstay.service.inbound.health.probes import ALLOWED_METHODS, FIGURES, WRONG_METHOD, Probe
from mainstay.service.inbound.idempotency.wsgi import WsgiKeyed
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.nonce import begin
from mainstay.service.inbound.problems.failure import NO_TIME
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.service.inbound.sessions.wsgi import WsgiSessions
from mainstay.service.inbound.wsgi.arriving import Arriving
from mainstay.service.inbound.wsgi.flight import ThreadFlight
from mainstay.service.inbound.wsgi.readers import Readers
from mainstay.service.inbound.wsgi.types import Environ, StartResponse, WsgiApp
from mainstay.service.inbound.wsgi.watch import Watch

_CGI_NAMES: dict[bytes, str] = {
    b"content-type": "CONTENT_TYPE",
    b"content-length": "CONTENT_LENGTH",
}
"""By header. Only names that code or a declaration asks for come here, so they are few."""


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
        self._app = app if inbound.sessions is None else WsgiSessions(inbound.sessions, app)
        self._keyed_app, self._keyed = self._app, frozenset[str]()
        if inbound.idempotency is not None:
            self._keyed_app = WsgiKeyed(inbound.idempotency, self._app)
            self._keyed = inbound.idempotency.methods
        self._routes = inbound.probes.routes
        self._watch = Watch(inbound.clock)
        self._arriving = Arriving(inbound, self._watch)
        self._readers = Readers()
        # WSGI has no lifespan: an app that could be made has started.
        inbound.drain.started = True

    def allow(self, *, bodies: int) -> None:
        """Say how many requests with bodies there may be at once. Before the first request."""
        self._arriving = Arriving(self.inbound, self._watch, arriving_max=bodies)

    def __getattr__(self, name: str) -> Any:
        # Any: it is the wrapped app's attribute. Reached only for names that the shell lacks.
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    # Long and with many branches, as its twin: each frame more is paid by each request.
    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:  # noqa: C901
        """Answer one request."""
        probe = self._routes.get(environ.get("PATH_INFO", ""))
        if probe is not None:
            return self._probe(probe, environ, start_response)
        inbound = self.inbound
        flight = ThreadFlight(inbound, environ, start_response)
        now_s = self._arrive(flight, environ)
        method, limits, admission = flight.method, inbound.limits, inbound.admission
        inbound.drain.flights.add(flight)
        trace_token = enter_trace(flight)
        scope_token = None
        body: Iterable[bytes] = ()
        try:
            # What a header shows is asked first, and nobody waits in a queue without time left.
            refusal = inbound.perimeter.ask(flight)
            if refusal is None and limits is not None:
                refusal = limits.ask_store(flight) if limits.waits else limits.ask(flight, now_s)
            if refusal is None and flight.expires_s <= now_s:
                refusal = NO_TIME
            if refusal is None and (
                method != "GET"
                or environ.get("CONTENT_LENGTH")
                or "HTTP_TRANSFER_ENCODING" in environ
            ):
                refusal = self._arriving.wait_for(flight)
            if refusal is None and admission is not None:
                flight.admitted = admission.enter(flight)
                if not flight.admitted:
                    self._readers.make_room(inbound.clock.monotonic_s())
                    refusal = admission.wait_in_thread(flight)
                    flight.admitted = refusal is None
            if refusal is not None:
                return flight.turn_away(refusal)
            flight.readers = self._readers
            flight.watch(self._watch)
            scope = new_scope(inbound.clock, flight.expires_s, (), current())
            flight.deadline = scope
            scope_token = enter(scope)
            app = self._keyed_app if method in self._keyed else self._app
            body = app(environ, flight.start_response)
            return flight.answer(body)
        except Refused as error:
            flight.drop(body)
            return flight.refuse(error.refusal)
        except KeyboardInterrupt as error:
            flight.claim()
            flight.end(type(error).__name__)
            raise
        except BaseException as error:  # noqa: BLE001  Whatever the app raises, its client gets an answer.
            flight.drop(body)
            return flight.fail(error)
        finally:
            if scope_token is not None:
                back(scope_token)
            leave_trace(trace_token)

    def _arrive(self, flight: Exchange, environ: Environ) -> float:
        """Find out who asks, and by when; return the present time."""
        inbound = self.inbound
        flight.get = get = partial(_look_up, environ)
        trust, request_id = inbound.trust, None
        flight.peer = flight.client = peer = environ.get("REMOTE_ADDR")
        trusted = trust.known.get(peer)
        if trusted is None:
            trusted = peer in trust
        flight.trusted = trusted
        if trusted:
            if "HTTP_X_FORWARDED_FOR" in environ:
                forwarded = environ["HTTP_X_FORWARDED_FOR"].encode("latin-1", "replace")
                flight.client = trust.clients.get(forwarded) or trust.client(peer, forwarded)
            if "HTTP_X_REQUEST_ID" in environ:
                request_id = request_id_of(
                    environ["HTTP_X_REQUEST_ID"].encode("latin-1", "replace")
                )
        flight.rng = inbound.rng
        flight.below = inbound.below
        flight.span_id = None
        if request_id is None:
            # A request that nobody has named is called by its span.
            request_id = flight.span_id = new_span_id(inbound.rng)
        flight.request_id = request_id
        environ[EXCHANGE_KEY] = flight
        if inbound.perimeter.has_nonce:
            begin(environ)
        # From a variable, since CPython is slow at calling what an attribute holds.
        now = inbound.now_s
        flight.started_s = flight.ready_s = now_s = now()
        if (
            "HTTP_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS" in environ
            or "HTTP_X_REQUEST_TIMEOUT" in environ
            or "HTTP_GRPC_TIMEOUT" in environ
        ):
            # Only then: to look a header up costs more here than it does in ASGI.
            flight.expires_s = now_s + allowed_s(get, inbound.deadline_s)
        else:
            flight.expires_s = now_s + inbound.deadline_s
        flight.priority = 0
        admission = inbound.admission
        if admission is not None:
            fixed = admission.fixed_priority
            flight.priority = admission.priority_of(flight) if fixed is None else fixed
        return now_s

    def _probe(
        self, probe: Probe, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a health probe, or who asks for metrics; it is neither counted nor logged."""
        method = environ["REQUEST_METHOD"]
        if method not in ALLOWED_METHODS:
            flight = ThreadFlight(self.inbound, environ, start_response)
            self._arrive(flight, environ)
            return flight.refuse(WRONG_METHOD)
        if probe is FIGURES:
            figures = self.inbound.telling.figures
            assert figures is not None, "its path is known"
            status, headers, document = figures.answer(
                _look_up(environ, b"accept"), _look_up(environ, b"accept-encoding")
            )
        else:
            trusted = self.inbound.trust.is_inside(
                environ.get("REMOTE_ADDR"), _look_up(environ, b"x-forwarded-for")
            )
            status, document = self.inbound.probes.answer(probe, trusted=trusted)
            headers = HEALTH_HEADERS
        start_response(
            f"{status} {HTTPStatus(status).phrase}",
            [
                *((name.decode(), value.decode("latin-1")) for name, value in headers),
                ("Content-Length", str(len(document))),
            ],
        )
        return [b"" if method == "HEAD" else document]


def _look_up(environ: Environ, name: bytes) -> bytes | None:
    key = _CGI_NAMES.get(name)
    if key is None:
        key = _CGI_NAMES[name] = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    value = environ.get(key)
    return None if value is None else value.encode("latin-1", "replace")
