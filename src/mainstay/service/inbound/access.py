"""The access line: one JSON object for each request, built and written in one go."""

import math
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from mainstay.core.clock import utc_text
from mainstay.service.inbound.exchange import LEFT_STATUS, Exchange

_PATH_CHARS_MAX = 2048
_PATH_CUT_CHARS = 160
"""A character takes at most 12 in JSON; a line stays below 4096 bytes, which a pipe takes whole."""


class AccessLog:
    """Writes access lines, as an ``Observer``. A line that could not be written is counted.

    Args:
        service: Name of the service.
        version: What runs.
        replica: Which of its processes this is; None where nobody said.
        write: Takes the line with its newline, in one call (``os.write`` on stdout).
        wall_s: The time of day.

    Attributes:
        lost: How many lines could not be written.
    """

    __slots__ = ("_head", "_second", "_wall_s", "_write", "lost")

    def __init__(
        self,
        *,
        service: str,
        version: str,
        replica: str | None,
        write: Callable[[bytes], object],
        wall_s: Callable[[], float],
    ) -> None:
        named = "null" if replica is None else quoted(replica)
        self._head = (
            f'"service":{quoted(service)},"version":{quoted(version)},"replica":{named},"method":'
        )
        self._write = write
        self._wall_s = wall_s
        # (whole second, its text up to the point): one tuple, so that threads see both or neither.
        self._second = (0, "1970-01-01T00:00:00")
        self.lost = 0

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Write the line of one request; of its path without the query, which may hold secrets."""
        path, status, trace = exchange.path, exchange.status or LEFT_STATUS, exchange.trace
        client = exchange.client
        safe_path = quoted(path)
        if len(safe_path) > _PATH_CHARS_MAX:
            safe_path = quoted(path[:_PATH_CUT_CHARS] + "...")
        # Faster by a factor of three than json.dumps of a dict; test_access proves them equal.
        line = (
            f'{{"time":"{self._time(self._wall_s())}",'
            f'"level":"{"info" if status < 500 else "error"}",'  # noqa: PLR2004  Server errors begin at 500.
            f'{self._head}{quoted(exchange.method[:32])},"path":{safe_path},"status":{status},'
            f'"duration_ms":{(ended_s - exchange.started_s) * 1000:.3f},"bytes":{exchange.size},'
            f'"trace_id":"{trace.trace_id}","span_id":"{trace.span_id}",'
            f'"request_id":"{exchange.request_id}",'
            f'"client":{"null" if client is None else quoted(client[:64])}'
        )
        if exchange.refusal is not None:
            line += f',"problem":"{exchange.refusal.kind}"'
        if exchange.error is not None:
            line += f',"error":{quoted(exchange.error[:200])}'
        line += "}\n"
        try:
            self._write(line.encode("ascii"))
        except (OSError, ValueError):
            # Nobody reads, the disk is full, or stdout is closed: the request matters more.
            self.lost += 1

    def _time(self, wall_s: float) -> str:
        """Return RFC 3339 in UTC with milliseconds; a second's text is made once."""
        whole_s = math.floor(wall_s)
        second, text = self._second
        if second != whole_s:
            text = utc_text(whole_s)[:19]
            self._second = (whole_s, text)
        return f"{text}.{int((wall_s - whole_s) * 1000):03d}Z"
