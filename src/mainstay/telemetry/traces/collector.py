"""The connection to a collector: one request at a time, bounded in time and size."""

import math
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from random import Random
from typing import Any, NamedTuple

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import MainstayError
from mainstay.telemetry.traces import wire
from mainstay.telemetry.traces.endpoint import Endpoint
from mainstay.telemetry.traces.otlp import rejected_of
from mainstay.telemetry.traces.timed import Timed

TIMEOUT_S = 10.0
"""Of connecting, and then of a request with its whole answer. OpenTelemetry's own default."""

_ANSWER_BYTES_MAX = 65_536
_AGAIN = frozenset((429, 502, 503, 504))
"""OTLP/HTTP, "Failures": these may be tried again; others never."""

_AWAY = (OSError, HTTPException, ValueError)
"""What no answer looks like. The last one is that of names and headers which can't be sent, and
which ``endpoint_of`` should have refused."""

PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 30.0


class CollectorAway(MainstayError):
    """The collector could not be reached, or did not answer in time."""


class Answer(NamedTuple):
    """What a collector said.

    Attributes:
        status: Of HTTP.
        asked_s: Its ``Retry-After`` in seconds, or None.
        rejected: How many spans it did not take, of those it was sent with success.
    """

    status: int
    asked_s: float | None
    rejected: int

    @property
    def taken(self) -> bool:
        """Whether it was a success."""
        return 200 <= self.status < 300  # noqa: PLR2004  HTTP's own.

    @property
    def again(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _AGAIN


def pause_s(failures: int, asked_s: float | None, rng: Random) -> float:
    """Return how long to wait after so many failures in a row.

    Full jitter above a half, so that the replicas of a service don't come back as one.

    Args:
        failures: At least 1.
        asked_s: What the collector asked for; it is never waited longer than PAUSE_MAX_S.
        rng: Chance.
    """
    ceiling_s = min(PAUSE_MAX_S, math.ldexp(PAUSE_FIRST_S, min(failures - 1, 16)))
    own_s = ceiling_s * rng.uniform(0.5, 1.0)
    return own_s if asked_s is None else min(PAUSE_MAX_S, max(own_s, asked_s))


class Collector:
    """Sends to one endpoint. Used by one thread.

    Args:
        endpoint: Where.
        timeout_s: See TIMEOUT_S.
        clock: Where time comes from.
    """

    __slots__ = ("_clock", "_connection", "_endpoint", "_headers", "_timeout_s")

    def __init__(
        self, endpoint: Endpoint, *, timeout_s: float = TIMEOUT_S, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._clock = clock
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._headers = {"User-Agent": "mainstay", **endpoint.headers}
        self._headers["Content-Type"] = "application/x-protobuf"
        self._connection: HTTPConnection | None = None

    def send(self, body: bytes) -> Answer:
        """Send one request and return the answer.

        Raises:
            CollectorAway: There was none.
        """
        # A connection that was kept may have been closed by now: that is no failure yet.
        kept = self._connection is not None
        try:
            return self._ask(body)
        except _AWAY as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise CollectorAway(f"no answer from {self._endpoint}") from error
        try:
            return self._ask(body)
        except _AWAY as error:
            self.close()
            raise CollectorAway(f"no answer from {self._endpoint}") from error

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, body: bytes) -> Answer:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect()
        if connection.sock is None:
            connection.connect()
            # Any: it has of a socket what http.client uses, and that has no types of its own.
            sock: Any = connection.sock
            connection.sock = Timed(sock, self._clock)
        timed: Any = connection.sock
        # Of each wait alone there would be no bound: a byte now and then is an answer too.
        timed.until_s = self._clock.monotonic_s() + self._timeout_s
        connection.request("POST", self._endpoint.path, body, self._headers)
        with connection.getresponse() as response:
            said = response.read(_ANSWER_BYTES_MAX)
            if not response.isclosed():
                # More than anybody needs: it is not read to its end.
                self.close()
            asked = response.headers.get("Retry-After", "")
            answer = Answer(response.status, float(asked) if asked.isdecimal() else None, 0)
        if not answer.taken or not said:
            return answer
        try:
            return answer._replace(rejected=rejected_of(said))
        except wire.Truncated:
            return answer

    def _connect(self) -> HTTPConnection:
        where = self._endpoint
        if where.secure:
            context = ssl.create_default_context()
            return HTTPSConnection(where.host, where.port, timeout=self._timeout_s, context=context)
        return HTTPConnection(where.host, where.port, timeout=self._timeout_s)
