"""The span of a request that went well, written out in one go: what most spans of a service are.

Byte for byte what ``otlp.encoded`` makes of ``server_span``, for less than half of it: what
requests of one sort share is made once, and there is no span and no dict on the way.
"""

from mainstay.core.trace import RANDOM, SAMPLED
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.traces import otlp, wire
from mainstay.telemetry.traces.otlp import Masks
from mainstay.telemetry.traces.server import OWN, TEXT_CHARS_MAX, name_of, scheme_of, version_of
from mainstay.telemetry.traces.span import SERVER

_SORTS_MAX = 1024
"""Sorts of requests that are remembered; then all are forgotten."""

_VERSION_CHARS_MAX = 16
"""Of HTTP's; a server that takes whatever a client says must fill no memory with it."""

_AGENT = "user_agent.original"
_ID, _PATH, _CLIENT = "mainstay.request_id", "url.path", "client.address"
_EACH = {_ID: "a", _PATH: "/", _CLIENT: "b"}
_NAMED_ID, _NAMED_PATH, _NAMED_CLIENT = (wire.text(1, name) for name in _EACH)
_SCOPE = otlp.scope(OWN)
_FLAGS = tuple(otlp.flags(flags, remote=True) for flags in range((SAMPLED | RANDOM) + 1))


class PlainSpans:
    """Writes spans of requests over HTTP that went well. Safe for threads.

    Args:
        masks: What hides secrets.
    """

    __slots__ = ("_is_open", "_masks", "_sorts")

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        # Whoever hides one of these by its name, has all of them looked at by their names.
        self._is_open = masks.mapping(_EACH) == _EACH
        # (method, scheme, route, status, version) -> (name and kind, the attributes of them).
        self._sorts: dict[tuple[str, str, str | None, int, str], tuple[bytes, bytes]] = {}

    def written(
        self,
        exchange: Exchange,
        route: str | None,
        ids: tuple[str, str, str | None, int],
        start_s: float,
        end_s: float,
    ) -> bytes | None:
        """Return the span as it is sent.

        Args:
            exchange: Of a method that is known and a status below 500, without an error, a refusal
                or notes.
            route: The template that the framework matched; None: it matched nothing.
            ids: Of the trace, the span and its parent, and the trace's flags; the trace has no
                ``tracestate``.
            start_s: Wall time.
            end_s: Wall time.

        Returns:
            None where it is none of those that are written here: its texts are long.
        """
        scope, path, client = exchange.scope, exchange.path, exchange.client
        agent, version = exchange.get(b"user-agent"), version_of(scope)
        if (
            not self._is_open
            or len(path) > TEXT_CHARS_MAX
            or len(version) > _VERSION_CHARS_MAX
            or (agent is not None and len(agent) > TEXT_CHARS_MAX)
        ):
            return None
        sort = exchange.method, scheme_of(scope), route, exchange.status, version
        named, shared = self._sorts.get(sort) or self._learn(sort)
        trace_id, span_id, parent_id, flags = ids
        text, request_id = self._masks.text, exchange.request_id
        start_ns = otlp.nanos(start_s)
        parent = "" if parent_id is None else f"2208{parent_id}"
        span = b"".join(
            (
                bytes.fromhex(f"0a10{trace_id}1208{span_id}{parent}"),
                named,
                otlp.times(start_ns, max(start_ns, otlp.nanos(end_s))),
                shared,
                b"" if agent is None else self._masks.few(_AGENT, agent.decode("latin-1")),
                # Of our own making, there is nothing to hide.
                otlp.said(_NAMED_ID, request_id if request_id == span_id else text(request_id)),
                otlp.said(_NAMED_PATH, text(path)),
                b"" if client is None else otlp.said(_NAMED_CLIENT, text(client)),
                _FLAGS[flags],
            )
        )
        return wire.block(2, _SCOPE + wire.block(2, span))

    def _learn(self, sort: tuple[str, str, str | None, int, str]) -> tuple[bytes, bytes]:
        method, scheme, route, status, version = sort
        masks = self._masks
        shared = [
            masks.few("http.request.method", method),
            masks.few("url.scheme", scheme),
            masks.few("network.protocol.version", version),
            masks.few("http.response.status_code", status),
        ]
        if route is not None:
            shared.append(masks.few("http.route", route))
        if len(self._sorts) >= _SORTS_MAX:
            self._sorts.clear()
        made = masks.name(name_of(method, route)) + wire.number(6, SERVER), b"".join(shared)
        self._sorts[sort] = made
        return made
