"""The ASGI shell: one pass around an app that knows nothing of it.

What isn't HTTP passes through: websockets are counted and told when the process leaves, the
lifespan is watched for its end, and unknown scopes are handed on.
"""

import asyncio
import contextlib
import math
from typing import Any

from mainstay.core.scope import back, enter
from mainstay.core.trace import enter_trace, entered_trace, leave_trace
from mainstay.service.inbound.asgi.boarding import board
from mainstay.service.inbound.asgi.dismissal import Dismissing, ends_by_disconnect
from mainstay.service.inbound.asgi.early_body import Arrivals, EarlyBody
from mainstay.service.inbound.asgi.flight import Flight
from mainstay.service.inbound.asgi.handshake import DENIAL, spare_denial
from mainstay.service.inbound.asgi.messages import send_whole, without_body
from mainstay.service.inbound.asgi.types import AsgiApp, Receive, Scope, Send
from mainstay.service.inbound.asgi.unanswered import expect_left, is_own_cancellation
from mainstay.service.inbound.exchange import EXCHANGE_KEY, lookup
from mainstay.service.inbound.health.document import HEALTH_HEADERS
from mainstay.service.inbound.health.probes import ALLOWED_METHODS, FIGURES, WRONG_METHOD, Probe
from mainstay.service.inbound.idempotency.asgi import AsgiKeyed
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.failure import NO_TIME
from mainstay.service.inbound.problems.refusal import Refusal, Refused
from mainstay.service.inbound.sessions.asgi import AsgiSessions
from mainstay.service.inbound.stopping.lifespan import Lifespan
from mainstay.service.inbound.stopping.websockets import serve_websocket

_TRY_AGAIN_LATER = 1013


class AsgiShell:
    """An ASGI app around an ASGI app; ``Service.asgi`` makes it.

    What this class does not have is looked up in the wrapped app, so that
    ``app = service.asgi(FastAPI())`` may be followed by ``@app.get("/")``.

    Args:
        app: The wrapped app.
        inbound: The parts of the service.

    Attributes:
        outermost: Whether a server alone calls it, and cancels for clients that have left: then a
            request that was cancelled just ends. Granian would print a traceback for each.
    """

    def __init__(self, app: AsgiApp, inbound: Inbound) -> None:
        self.wrapped = app
        self.inbound = inbound
        self.outermost = False
        app = Dismissing(app) if ends_by_disconnect(app) else app
        self._app = app if inbound.sessions is None else AsgiSessions(inbound.sessions, app)
        keyed_app, keyed = self._app, frozenset[str]()
        if inbound.idempotency is not None:
            keyed_app = AsgiKeyed(inbound.idempotency, self._app)
            keyed = inbound.idempotency.methods
        # What each request needs, as one tuple: a class with a __getattr__ is slow to look up any
        # attribute, since CPython then leaves it as it is.
        self._plan = (inbound, inbound.probes.routes, keyed, keyed_app, self._app)
        self._has_lifespan = False
        self._arrivals = Arrivals()

    def __getattr__(self, name: str) -> Any:
        # Any: it is the wrapped app's attribute. Reached only for names that the shell lacks.
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    # Long and with many branches, since each frame more is paid by each request.
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: C901, PLR0912, PLR0915
        """Serve one connection of any type."""
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        inbound, probes, keyed, keyed_app, app = self._plan
        if scope["path"] in probes:
            await self._probe(probes[scope["path"]], scope, send)
            return
        flight = board(inbound, scope, send)
        now_s = flight.started_s
        flights, limits, admission = inbound.drain.flights, inbound.limits, inbound.admission
        flights.add(flight)
        # The scope leads to the trace; only where another trace is entered, this one must be, too.
        trace_token = None if entered_trace() is None else enter_trace(flight)
        scope_token = enter(flight)
        try:
            # What a header shows is asked first, and nobody waits in a queue without time left.
            perimeter, refusal = inbound.perimeter, None
            if perimeter.is_curious or flight.has_length:
                refusal = perimeter.ask(flight)
            if refusal is None and limits is not None:
                refusal = await limits.aask(flight) if limits.waits else limits.ask(flight, now_s)
            if refusal is None and flight.expires_s <= now_s:
                refusal = NO_TIME
            if refusal is None and (
                flight.method != "GET"
                or flight.has_length
                or flight.has_chunks
                or scope["http_version"] > "1.1"
            ):
                receive = await self._take_in(flight, receive)
            if refusal is None and admission is not None:
                flight.admitted = admission.enter(flight)
                if not flight.admitted:
                    refusal = await admission.wait(flight)
                    flight.admitted = refusal is None
            if refusal is not None:
                await self._turn_away(flight, refusal)
                return
            if not flight.armed:
                inbound.lane.arm(flight, now_s)
                flight.armed = True
            if flight.method in keyed:
                app = keyed_app
            await app(scope, receive, flight.send)
            if flight.held is not None:
                await flight.let_go()
            elif flight.status == 0 and not flight.is_cut:
                await expect_left(receive)
        except asyncio.CancelledError as error:
            if not flight.silence(error):
                if is_own_cancellation():
                    await flight.fail(error)
                    return
                flight.error = "CancelledError"
                if not self.outermost:
                    raise
        except Refused as error:
            await flight.refuse(error.refusal)
        except Exception as error:  # noqa: BLE001  Whatever the app raises, its client gets an answer.
            await flight.fail(error)
        except (SystemExit, BaseExceptionGroup) as error:
            await flight.fail(error)
        except BaseException as error:
            flight.error = type(error).__name__
            raise
        finally:
            if flight.is_cut:
                with contextlib.suppress(asyncio.CancelledError):
                    await flight.settle()
            if flight.armed:
                flight.silence(None)
            back(scope_token)
            if trace_token is not None:
                leave_trace(trace_token)
            flights.discard(flight)
            observer = inbound.telling.observer
            if flight.admitted or observer is not None:
                now = inbound.now_s
                ended_s = now()
                if flight.admitted:
                    flight.leave(ended_s)
                if observer is not None:
                    observer.ended(flight, ended_s)
            # The scope leads to the flight and the flight to the scope: a circle for the collector
            # in every request, with all that the framework hung on it.
            scope.pop(EXCHANGE_KEY, None)

    async def _take_in(self, flight: Flight, receive: Receive) -> Receive:
        """Wait for the beginning of a body; return what gives the app all of it.

        Raises:
            Refused: It is longer than it may be.
        """
        inbound = self.inbound
        if flight.method == "HEAD" and flight.scope["http_version"] > "1.1":
            flight.deliver = without_body(flight.deliver)
        if inbound.perimeter.must_count(flight):
            receive = flight.counted(receive)
        if not (flight.has_length or flight.has_chunks) and (
            flight.method == "GET" or flight.scope["http_version"] <= "1.1"
        ):
            return receive
        inbound.lane.arm(flight, flight.started_s)
        flight.armed = True
        early = EarlyBody(flight, receive)
        await early.arrive(self._arrivals)
        # How slowly its client sends is no latency of the service.
        flight.ready_s = inbound.now_s()
        return early

    async def _turn_away(self, flight: Flight, said: Refusal | Preflight) -> None:
        if isinstance(said, Preflight):
            await flight.answer_preflight(said)
        else:
            await flight.refuse(said)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "websocket":
            await self._websocket(scope, receive, send)
        elif kind == "lifespan":
            self._has_lifespan = True
            await Lifespan(self.inbound.drain, receive, send).run(self.wrapped, scope)
        else:
            await self.wrapped(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket: its handshake is a request like others, its life has no bound."""
        inbound = self.inbound
        spare_denial(scope, send)
        flight = board(inbound, scope, send)
        now_s = flight.started_s
        flight.expires_s = math.inf
        token = enter_trace(flight)
        limits, admission = inbound.limits, inbound.admission
        try:
            refusal = inbound.perimeter.ask(flight)
            if refusal is None and limits is not None:
                refusal = await limits.aask(flight) if limits.waits else limits.ask(flight, now_s)
            if refusal is None and admission is not None:
                flight.admitted = admission.enter(flight)
                if not flight.admitted:
                    refusal = await admission.wait(flight)
                    flight.admitted = refusal is None
            if flight.admitted:
                # A place is for work that ends; a websocket that is open does none by itself.
                flight.leave(now_s)
            if isinstance(refusal, Refusal):
                await receive()
                await self._close(flight, refusal, send)
                return
            await serve_websocket(self._app, scope, receive, send, flight, inbound.drain)
        except Refused as error:
            if flight.status:
                raise
            await self._close(flight, error.refusal, send)
        except BaseException as error:
            flight.error = type(error).__name__
            inbound.failed(flight, error)
            raise
        finally:
            leave_trace(token)
            if inbound.telling.observer is not None:
                inbound.telling.observer.ended(flight, inbound.now_s())
            scope.pop(EXCHANGE_KEY, None)

    async def _close(self, flight: Flight, refusal: Refusal, send: Send) -> None:
        """Refuse a handshake: as an answer where the server can, else by closing."""
        if DENIAL in (flight.scope.get("extensions") or ()):
            await flight.refuse_handshake(refusal)
        else:
            self.inbound.refused(flight, refusal)
            flight.status = 403
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})

    async def _no_probe(self, scope: Scope, send: Send) -> None:
        """Refuse a request for the path of a probe that is none."""
        inbound = self.inbound
        flight = board(inbound, scope, send)
        try:
            await flight.refuse(WRONG_METHOD)
        finally:
            scope.pop(EXCHANGE_KEY, None)
            if inbound.telling.observer is not None:
                inbound.telling.observer.ended(flight, inbound.now_s())

    async def _probe(self, probe: Probe, scope: Scope, send: Send) -> None:
        """Answer a health probe, or who asks for metrics; it is neither counted nor logged."""
        if not self._has_lifespan:
            # The server was told to do without; then the first question means that it serves.
            self.inbound.drain.started = True
        if scope["method"] not in ALLOWED_METHODS:
            await self._no_probe(scope, send)
            return
        if probe is FIGURES:
            await self._figures(scope, send)
            return
        client, get = scope.get("client"), lookup(scope["headers"])
        trusted = self.inbound.trust.is_inside(
            client[0] if client else None, get(b"x-forwarded-for")
        )
        status, document = await self.inbound.probes.answer_async(probe, trusted=trusted)
        with_body = scope["method"] != "HEAD"
        await send_whole(send, status, document, HEALTH_HEADERS, with_body=with_body)

    async def _figures(self, scope: Scope, send: Send) -> None:
        """Answer who asks for metrics."""
        figures = self.inbound.telling.figures
        assert figures is not None, "its path is known"
        get = lookup(scope["headers"])
        status, headers, body = await figures.answer_async(get(b"accept"), get(b"accept-encoding"))
        await send_whole(send, status, body, headers, with_body=scope["method"] != "HEAD")
