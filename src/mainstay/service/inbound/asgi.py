"""The ASGI shell: health, drain, trace and access line around an app that knows nothing of them.

Everything that isn't HTTP passes through as it is: websockets are counted for the drain, the
lifespan is watched for its end, and unknown scopes are handed on.
"""

import traceback
from collections.abc import Awaitable
from typing import Any

from mainstay.core.trace import Trace, arrive, enter_trace, leave_trace
from mainstay.service.inbound.asgi_types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import LEFT_STATUS
from mainstay.service.inbound.health.document import HEALTH_TYPE
from mainstay.service.inbound.health.probes import ALLOWED_METHODS, Probe
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.problem import PROBLEM_TYPE, failure_problem
from mainstay.service.inbound.stopping.lifespan import Lifespan

TRACE_KEY = "mainstay.trace"
_CLOSE = (b"connection", b"close")


class AsgiShell:
    """An ASGI app around an ASGI app; ``Service.asgi`` makes it.

    What this class does not have is looked up in the wrapped app, so that
    ``app = service.asgi(FastAPI())`` may be followed by ``@app.get("/")``.

    Args:
        app: The wrapped app.
        inbound: The parts of the service.
    """

    def __init__(self, app: AsgiApp, inbound: Inbound) -> None:
        self.wrapped = app
        self.inbound = inbound
        self._routes = inbound.probes.routes
        self._flights = inbound.drain.flights
        self._now_s = inbound.clock.monotonic_s
        self._has_lifespan = False

    def __getattr__(self, name: str) -> Any:
        # Any: it is the wrapped app's attribute. Reached only for names that the shell lacks.
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any type."""
        kind = scope["type"]
        if kind == "http":
            probe = self._routes.get(scope["path"])
            if probe is None:
                await self._request(scope, receive, send)
            else:
                await self._probe(probe, scope, send)
        elif kind == "websocket":
            await self._request(scope, receive, send)
        elif kind == "lifespan":
            self._has_lifespan = True
            await Lifespan(self.inbound.drain, receive, send).run(self.wrapped, scope)
        else:
            await self.wrapped(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = arrive(self.inbound.rng, _traceparent(scope["headers"]))
        scope[TRACE_KEY] = trace
        flight = _Flight(self.inbound, scope, send, self._now_s())
        token = enter_trace(trace)
        self._flights.add(flight)
        try:
            await self.wrapped(scope, receive, flight.send)
        except Exception as error:  # noqa: BLE001  Whatever the app raises, its client gets an answer.
            await flight.fail(error, trace)
        except BaseException as error:
            flight.error = type(error).__name__
            raise
        finally:
            self._flights.discard(flight)
            leave_trace(token)
            flight.log(trace, self._now_s())

    async def _probe(self, probe: Probe, scope: Scope, send: Send) -> None:
        """Answer a health probe; it is neither counted nor logged."""
        if not self._has_lifespan:
            # The server was told to do without; then the first question means that it serves.
            self.inbound.drain.started = True
        if scope["method"] not in ALLOWED_METHODS:
            await _send_whole(send, 405, b"", b"text/plain", ((b"allow", b"GET, HEAD"),))
            return
        status, document = await self.inbound.probes.answer_async(probe)
        await _send_whole(
            send,
            status,
            document,
            HEALTH_TYPE.encode(),
            ((b"cache-control", b"no-store"),),
            with_body=scope["method"] != "HEAD",
        )


class _Flight:
    """One request in flight: what is known of its answer so far."""

    __slots__ = ("_inbound", "_scope", "_send", "_started_s", "error", "finished", "size", "status")

    def __init__(self, inbound: Inbound, scope: Scope, send: Send, started_s: float) -> None:
        self._inbound = inbound
        self._scope = scope
        self._send = send
        self._started_s = started_s
        self.status = 0
        self.size = 0
        self.finished = False
        self.error: str | None = None

    def send(self, message: Message) -> Awaitable[None]:
        """Note what the answer is and hand it on. No coroutine of its own: two sends a request."""
        kind = message["type"]
        if kind == "http.response.body":
            self.size += len(message.get("body", b""))
            self.finished = not message.get("more_body", False)
        elif kind == "http.response.start":
            self.status = message["status"]
            if self._inbound.drain.stopping and self._scope["http_version"] < "2":
                # The client opens its next connection elsewhere.
                message = {**message, "headers": [*message.get("headers", ()), _CLOSE]}
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.close" and self.status == 0:
            self.status = 403
        return self._send(message)

    async def fail(self, error: Exception, trace: Trace) -> None:
        """Answer for an app that raised.

        With an answer that is whole, or not begun, the error ends here: it is told once, with its
        trace id, and a server that were told too would tell it again. An answer that has begun
        and isn't whole must be torn off, so that the client sees it is not; that is the server's
        work, and the error goes on to it.
        """
        self.error = type(error).__name__
        if self._scope["type"] == "websocket" or (self.status and not self.finished):
            raise error
        self._inbound.complain(
            f"mainstay: {self._scope['method']} {self._scope['path']!r} failed, "
            f"trace_id {trace.trace_id}\n{''.join(traceback.format_exception(error))}"
        )
        if not self.status:
            document = failure_problem(trace.trace_id)
            await _send_whole(self.send, 500, document, PROBLEM_TYPE.encode())

    def log(self, trace: Trace, ended_s: float) -> None:
        """Write the access line."""
        inbound, scope = self._inbound, self._scope
        if inbound.access is None:
            return
        client = scope.get("client")
        inbound.access.write(
            ended_s=inbound.clock.wall_s(),
            method=scope.get("method", "WEBSOCKET"),
            path=scope["path"],
            status=self.status or LEFT_STATUS,
            duration_s=ended_s - self._started_s,
            size=self.size,
            trace=trace,
            client=client[0] if client else None,
            error=self.error,
        )


def _traceparent(headers: Any) -> bytes | None:
    # Any: pairs of bytes, in whatever iterable the server uses.
    values = [value for name, value in headers if name == b"traceparent"]
    # With two of them nobody knows who called.
    return values[0] if len(values) == 1 else None


async def _send_whole(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    more_headers: tuple[tuple[bytes, bytes], ...] = (),
    *,
    with_body: bool = True,
) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *more_headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if with_body else b""})
