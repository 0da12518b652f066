"""Errors that nobody handled, as lines: of a request, or of work in the background."""

from collections.abc import Mapping

from mainstay.core.trace import current_traced, enter_trace, leave_trace
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.logs.levels import ERROR
from mainstay.telemetry.logs.logs import Logs

LOGGER = "mainstay.failures"


class FailureLine:
    """Writes the line of an error, with its request's ids.

    Args:
        logs: Where they go.
    """

    __slots__ = ("_logs",)

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def failed(self, exchange: Exchange | None, error: BaseException, work: str) -> None:
        """Write it: for ``Failures``.

        Args:
            exchange: Of the request, or None outside of one.
            error: What was raised.
            work: Name of the background work that raised it, or empty.
        """
        if work:
            self._write("background work failed", {"work": work}, error)
        elif exchange is None:
            self._write("unhandled error", {}, error)
        elif current_traced() is None:
            # The rest of a stream is made when the request's own context has been left.
            token = enter_trace(exchange)
            try:
                self._write("request failed", _of(exchange), error)
            finally:
                leave_trace(token)
        else:
            self._write("request failed", _of(exchange), error)

    def complain(self, text: str) -> None:
        """Write a text that somebody should read."""
        self._logs.log(ERROR, LOGGER, text.rstrip(), {})

    def _write(self, event: str, fields: Mapping[str, object], error: BaseException) -> None:
        self._logs.log(ERROR, LOGGER, event, fields, error)


def _of(exchange: Exchange) -> dict[str, object]:
    return {"method": exchange.method, "path": exchange.path}
