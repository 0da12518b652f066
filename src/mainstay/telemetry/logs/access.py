"""The access line: one for each request, made and written in one go.

Written out by hand, since its fields are known: half the time of a line that could be any.
"""

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from mainstay.service.inbound.exchange import LEFT_STATUS, Exchange
from mainstay.telemetry.logs.levels import ERROR, INFO, NAMES, WARNING
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.logs.stamp import Stamp

LOGGER = "mainstay.access"
EVENT = "request"

_PATH_CHARS_MAX = 2048
_PATH_CUT_CHARS = 160
"""A character takes at most 12 in JSON; a line stays below 4096 bytes, which a pipe takes whole."""

_ROUTE_CHARS_MAX = 200
_CLIENT_CHARS_MAX = 64
_HEADS_MAX = 4096
_METHOD_CHARS = 7
_THOUSANDTHS = tuple(f"{number:03d}" for number in range(1000))
_SERVER_ERRORS_FROM = 500
_REFUSED_FROM = 400

_LEFT = frozenset({"CancelledError", "ClientDisconnect", "ClientDisconnected", "RequestAborted"})
"""Errors that mean that the client is gone, which is nobody's fault here."""


class AccessLine:
    """Writes access lines, as an ``Observer``.

    The burst limit doesn't hold for them: there is one for each request, or it is counted as lost.

    Args:
        logs: Where they go; their level holds.
        route: Says which route a request took, as a template.

    Attributes:
        logs: As given.
    """

    __slots__ = ("_end", "_heads", "_route", "_stamp", "logs")

    def __init__(self, logs: Logs, route: Callable[[Exchange], str]) -> None:
        self.logs = logs
        self._route = route
        self._stamp = Stamp(b'{"timestamp":"')
        self._end = f"{logs.tail.decode()}}}\n"
        self._heads: dict[tuple[int, str, str, int], str] = {}

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Write the line of one request; of its path without the query, which may hold secrets.

        A server's error is an error, also one that broke off an answer which had begun well. A
        request that a guard turned away is a warning: unexpected, and the system goes on.
        """
        logs, status, refusal = self.logs, exchange.status or LEFT_STATUS, exchange.refusal
        level = INFO if refusal is None else WARNING
        error = exchange.error
        if status >= _SERVER_ERRORS_FROM or (
            error is not None and error not in _LEFT and status < _REFUSED_FROM
        ):
            level = ERROR
        if level < logs.level:
            return
        trace = exchange.trace
        more = ""
        if refusal is not None:
            more = f',"problem":"{refusal.kind}"'
        if error is not None:
            more += f',"error":{quoted(error[:200])}'
        key = (level, exchange.method, self._route(exchange), status)
        head = self._heads.get(key) or self.head(*key)
        self.put(head, exchange, ended_s, trace.trace_id, trace.span_id, more=more)

    def put(
        self,
        head: str,
        exchange: Exchange,
        ended_s: float,
        trace_id: str,
        span_id: str,
        *,
        more: str = "",
    ) -> None:
        """Write a line, put together by hand.

        Args:
            head: What ``head`` returned.
            exchange: The request.
            ended_s: Monotonic.
            trace_id: Of its trace.
            span_id: Of itself.
            more: Further fields, behind a comma.
        """
        logs, client = self.logs, exchange.client
        shown, request_id = exchange.path, exchange.request_id
        if len(shown) > _PATH_CHARS_MAX:
            # A stranger's, and as long as one likes: of what isn't shown, little is looked at.
            shown = logs.masker.beginning(shown, _PATH_CUT_CHARS)
        else:
            shown = logs.masker.text(shown)
        path = quoted(shown)
        if len(path) > _PATH_CHARS_MAX:
            path = quoted(shown[:_PATH_CUT_CHARS] + "...")
        if request_id != span_id:
            # A stranger's likewise, where no proxy gave it.
            request_id = logs.masker.identifier(request_id)
        if client is not None and len(client) > _CLIENT_CHARS_MAX:
            client = client[:_CLIENT_CHARS_MAX]
        took_us = int((ended_s - exchange.started_s) * 1e6)
        line = (
            f'{head}{path},"duration_ms":{took_us // 1000}.{_THOUSANDTHS[took_us % 1000]},'
            f'"bytes":{exchange.size},"client":{"null" if client is None else quoted(client)},'
            f'"trace_id":"{trace_id}","span_id":"{span_id}",'
            f'"request_id":"{request_id}"{more}{self._end}'
        )
        writer, burst = logs.writer, logs.burst
        if writer.lost != logs.told_lost or (burst is not None and burst.dropping):
            # Nobody may say anything else for a long time.
            logs.tell_when_due()
        writer.write(self._stamp.text(logs.wall_s()) + line.encode())

    def head(self, level: int, method: str, route: str, status: int) -> str:
        """Return the part of a line that all requests of one route and status share."""
        head = (
            f'","level":"{NAMES[level]}","event":"{EVENT}","logger":"{LOGGER}",'
            f'"method":{quoted(method[:32])},"route":{quoted(route[:_ROUTE_CHARS_MAX])},'
            f'"status":{status},"path":'
        )
        # Methods are strangers' words, and would fill it.
        if len(self._heads) < _HEADS_MAX and method.isalpha() and len(method) <= _METHOD_CHARS:
            self._heads[level, method, route, status] = head
        return head
