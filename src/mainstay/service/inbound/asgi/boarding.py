"""How a request over ASGI begins: who asks, and by when the answer must have begun."""

from mainstay.core.scope import current
from mainstay.core.trace import new_span_id, request_id_of
from mainstay.service.inbound.asgi.flight import Flight
from mainstay.service.inbound.asgi.types import Scope, Send
from mainstay.service.inbound.deadline import allowed_s
from mainstay.service.inbound.exchange import EXCHANGE_KEY, headers_in
from mainstay.service.inbound.inbound import Inbound


# One frame, though a long one, and no constructor, which would double the cost of making one: a
# request pays for each. No method of a slot is called: CPython calls what an attribute holds faster
# from a variable.
def board(inbound: Inbound, scope: Scope, send: Send) -> Flight:  # noqa: PLR0915
    """Return the flight of a request or of a websocket.

    Args:
        inbound: The parts of the service.
        scope: Of the request; leads to the flight from now on.
        send: The server's.
    """
    pairs = scope["headers"]
    headers = dict(pairs) if type(pairs) is list else {}
    if not headers or len(headers) < len(pairs):
        headers = headers_in(pairs)
    flight = Flight()
    flight.inbound = inbound
    flight.deliver = send
    flight.scope = scope
    flight.kind = scope["type"]
    flight.method = scope.get("method", "WEBSOCKET")
    flight.path = scope["path"]
    flight.get = headers.get
    flight.has_length = b"content-length" in headers
    flight.has_chunks = b"transfer-encoding" in headers
    flight.begun_s = 0.0
    flight.status = flight.size = flight.priority = 0
    flight.noted = flight.error = flight.refusal = flight.held = flight.bounded = None
    flight.admitted = flight.armed = flight.finished = False
    flight.is_cut = flight.is_reading = False
    client, trust, named = scope.get("client"), inbound.trust, None
    flight.peer = flight.client = peer = client[0] if client else None
    trusted = trust.known.get(peer)
    if trusted is None:
        trusted = peer in trust
    flight.trusted = trusted
    flight.is_secure = scope.get("scheme") == "https"
    if trusted:
        # Whoever may forge this only makes browsers ignore what is said over HTTPS alone.
        if b"x-forwarded-proto" in headers and headers[b"x-forwarded-proto"] == b"https":
            flight.is_secure = True
        if b"x-forwarded-for" in headers:
            forwarded = headers[b"x-forwarded-for"]
            flight.client = trust.clients.get(forwarded) or trust.client(peer, forwarded)
        if b"x-request-id" in headers:
            named = request_id_of(headers[b"x-request-id"])
    flight.rng = inbound.rng
    flight.below = inbound.below
    flight.span_id = None
    if named is None:
        # A request that nobody has named is called by its span.
        named = flight.span_id = new_span_id(inbound.rng)
    flight.request_id = named
    scope[EXCHANGE_KEY] = flight
    flight.clock = inbound.clock
    flight.retrying = ()
    flight.outer = current()
    now = inbound.now_s
    flight.started_s = flight.ready_s = now_s = now()
    deadline_s = inbound.deadline_s
    if (
        b"x-envoy-expected-rq-timeout-ms" in headers
        or b"grpc-timeout" in headers
        or b"x-request-timeout" in headers
    ):
        deadline_s = allowed_s(headers.get, deadline_s)
    flight.expires_s = now_s + deadline_s
    admission = inbound.admission
    if admission is not None:
        fixed = admission.fixed_priority
        flight.priority = admission.priority_of(flight) if fixed is None else fixed
    return flight
