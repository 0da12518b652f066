"""One request and its answer, as every part of the wrapper sees them.

Both shells make one for each request, the parts read it and note on it, and whoever observes gets
it when it has ended. Nothing of it is kept afterwards.
"""

from collections.abc import Callable, Iterable, MutableMapping
from random import Random
from typing import Any, ClassVar

from mainstay.core.alarm import Alarm
from mainstay.core.trace import Trace, arrive, new_span_id
from mainstay.service.inbound.problems.refusal import Refusal

EXCHANGE_KEY = "mainstay.exchange"
"""Where the exchange stands in a scope or environ."""

TRACE_KEY = "mainstay.trace"
SPAN_KEY = "mainstay.span"

LEFT_STATUS = 499
"""The client left before there was a status (nginx's number for it)."""

Lookup = Callable[[bytes], bytes | None]
"""Returns the value of a header by its name in lower case; of several, joined, as RFC 9110 says."""


class Exchange(Alarm):
    """A request and what is known of its answer. Made by a shell, used in one task or thread.

    It is its own deadline: over ASGI what works on it finds it as the current scope, and one object
    less is made for each request.

    Without a constructor of its own, which would double the cost of making one; shells set every
    attribute.

    Attributes:
        scope: The ASGI scope or the WSGI environ. Any: both are dictionaries of anything.
        kind: ``http`` or ``websocket``.
        method: As received; ``WEBSOCKET`` for a websocket.
        path: Decoded, without the query.
        get: Looks up a header of the request.
        peer: Address of the other end of the connection; None where the server doesn't know.
        client: Address of the client, which trusted peers may name; as ``peer`` otherwise.
        trusted: Whether the peer is in ``inbound.trust``.
        rng: Makes the ids of the trace.
        below: Which traces that begin here are sampled; see ``core.trace.sample_below``.
        request_id: What a trusted peer calls this request, else its span's id.
        span_id: This request's own part of its trace, where it has one already.
        priority: 0 is critical, 3 is low; see ``admission``.
        started_s: Monotonic.
        ready_s: Monotonic: when nothing but the service was in its way any more: the beginning of
            its body was there, and a place of admission.
        begun_s: Monotonic: when the answer began; 0 before that.
        expires_s: Monotonic: when the answer must have begun; infinite where nothing says so.
        noted: Headers for the answer that parts ask for; None while there are none.
        status: Of the answer; 0 before there is one.
        size: Bytes of the answer's body so far.
        error: Class of the exception that ended it, or None.
        refusal: Why the app did not see it, or did not finish; None where it did.
    """

    __slots__ = (
        "begun_s",
        "below",
        "client",
        "error",
        "get",
        "kind",
        "method",
        "noted",
        "path",
        "peer",
        "priority",
        "ready_s",
        "refusal",
        "request_id",
        "rng",
        "scope",
        "size",
        "span_id",
        "started_s",
        "status",
        "trusted",
    )

    traced: ClassVar[bool] = True
    scope: MutableMapping[str, Any]
    kind: str
    method: str
    path: str
    get: Lookup
    peer: str | None
    client: str | None
    trusted: bool
    rng: Random
    below: int
    request_id: str
    span_id: str | None
    priority: int
    started_s: float
    ready_s: float
    begun_s: float
    noted: list[tuple[bytes, bytes]] | None
    status: int
    size: int
    error: str | None
    refusal: Refusal | None

    @property
    def trace(self) -> Trace:
        """The trace that it belongs to, with the id of this request. Made when first asked for."""
        trace: Trace | None = self.scope.get(TRACE_KEY)
        if trace is None:
            get = self.get
            trace = arrive(
                self.rng,
                get(b"traceparent"),
                get(b"tracestate"),
                get(b"baggage"),
                span_id=self.own_span_id(),
                request_id=self.request_id,
                below=self.below,
            )
            # Of two threads that ask at once, both get the first one's.
            trace = self.scope.setdefault(TRACE_KEY, trace)
        return trace

    def own_span_id(self) -> str:
        """Return the id of its own part of its trace, made when first asked for."""
        span_id = self.span_id
        if span_id is None:
            # Of two threads that ask at once, both get the first one's.
            span_id = self.scope.setdefault(SPAN_KEY, new_span_id(self.rng))
            self.span_id = span_id
        return span_id

    @property
    def has_nonce(self) -> bool:
        """Whether the policy of its pages knows nonces, and ``csp_nonce`` should look here."""
        return False

    def note(self, name: bytes, value: bytes) -> None:
        """Ask for a header of the answer; ``name`` in lower case, ``value`` in latin-1."""
        if self.noted is None:
            self.noted = []
        self.noted.append((name, value))


def lookup(headers: Iterable[tuple[bytes, bytes]]) -> Lookup:
    """Return what looks up the headers of an ASGI scope."""
    return headers_in(headers).get


def headers_in(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers of an ASGI scope by name.

    A dict of them is made in C, and each look is then free. A name that came more than once, which
    the lengths show, is joined: cookies by semicolons (RFC 9113, section 8.2.3), others by commas.
    """
    pairs = headers if type(headers) is list else list(headers)
    found = dict(pairs)
    if len(found) < len(pairs):
        found.clear()
        for name, value in pairs:
            if name in found:
                found[name] += (b"; " if name == b"cookie" else b", ") + value
            else:
                found[name] = value
    return found
