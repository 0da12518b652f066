"""``Logs``: every line of a process passes here, and becomes masked JSON.

::

    timestamp level event logger  fields...  service version replica environment
    [trace_id span_id request_id]  [exception]
"""

import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.trace import Trace, current_trace
from mainstay.telemetry.logs.burst import LOGGERS_MAX, Burst
from mainstay.telemetry.logs.encoding import encode
from mainstay.telemetry.logs.levels import INFO, NAMES, WARNING, level_of
from mainstay.telemetry.logs.stamp import Stamp
from mainstay.telemetry.logs.writer import Writer, stdout_writer
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.masking.plain import ELIDED
from mainstay.telemetry.trail import class_of, trail_of

LINE_BYTES_MAX = 65_536
"""A longer line loses its fields: what a pipe holds by default."""

_SHORTENED_FIELDS = 30
_SHORTENED_CHARS = 200
"""Of each field of a line that was too long."""

_SHORTENED_OWN_CHARS = 2000
"""Of its event and its exception."""

TELL_S = 1.0
"""Between two lines that tell what is missing."""

RESERVED = frozenset(
    {
        "timestamp", "level", "event", "logger", "service", "version", "replica", "environment",
        "trace_id", "span_id", "request_id", "exception",
    }
)  # fmt: skip
"""What every line may have. A field of the same name gets an underscore behind it."""

_LEVELS = {number: f'","level":"{name}","event":'.encode() for number, name in NAMES.items()}
_NOTHING: Mapping[str, object] = {}

OWN = "mainstay.logs"
"""The logger that tells of the logs themselves."""

UNSHOWN = "(a line that can't be shown)"
"""Stands for the event of a line whose values raise an error when they are looked at."""


class Logs:
    """The logs of one process. Safe for threads, tasks, signal handlers and forks.

    Args:
        service: Name of the service.
        version: What runs.
        replica: Which of its processes this is; None where nobody said.
        environment: Such as ``production``.
        level: Lines below it are not written.
        burst: Bounds the lines of each logger and level; None: nothing does.
        masker: Hides secrets.
        writer: Writes; None takes the process's own to stdout.
        clock: Where time comes from.
        trace: Tells which request a line belongs to.

    Attributes:
        level: As given; may be changed at any time.
        burst: As given.
        masker: As given.
        writer: As given.
        tail: The fields that all lines of this process have, as JSON behind a comma.
        stamp: Makes the text of a line's time.
        wall_s: Tells the time of a line.
    """

    __slots__ = (
        "_loggers",
        "_monotonic_s",
        "_told_s",
        "_trace",
        "burst",
        "level",
        "masker",
        "stamp",
        "tail",
        "told_lost",
        "wall_s",
        "writer",
    )

    def __init__(
        self,
        *,
        service: str,
        version: str = "",
        replica: str | None = None,
        environment: str = "dev",
        level: int = INFO,
        burst: Burst | None = None,
        masker: Masker | None = None,
        writer: Writer | None = None,
        clock: Clock = SYSTEM_CLOCK,
        trace: Callable[[], Trace | None] = current_trace,
    ) -> None:
        self.level = level
        self.masker = Masker() if masker is None else masker
        self.burst = burst
        self.writer = stdout_writer() if writer is None else writer
        self._monotonic_s = clock.monotonic_s
        self.wall_s = clock.wall_s
        self._trace = trace
        self.stamp = Stamp()
        self.told_lost = 0
        self._told_s = -math.inf
        self._loggers: dict[str, bytes] = {}
        self.tail = (
            b","
            + encode(
                {
                    "service": service,
                    "version": version,
                    "replica": replica,
                    "environment": environment,
                }
            )[1:-1]
        )

    def log(
        self,
        level: int,
        logger: str,
        event: object,
        fields: Mapping[str, object],
        error: BaseException | None = None,
    ) -> None:
        """Write one line, unless its level is too low or its logger writes too much.

        Never raises, and waits for nothing.

        Args:
            level: One of ``levels``.
            logger: Who says it.
            event: What happened: a text, or anything that is shown as one.
            fields: Anything; values are masked and made plain.
            error: The exception that the line is about.
        """
        if level < self.level:
            return
        burst = self.burst
        if burst is not None and not burst.lets(logger, level, self._monotonic_s()):
            return
        if self.writer.lost != self.told_lost or (burst is not None and burst.dropping):
            self.tell_when_due()
        self.write(level, logger, event, fields, error)

    def write(
        self,
        level: int,
        logger: str,
        event: object,
        fields: Mapping[str, object],
        error: BaseException | None = None,
    ) -> None:
        """Write one line in any case; as ``log`` otherwise."""
        # In one function, since each frame more would cost a tenth of a line.
        try:
            masker = self.masker
            if fields and not RESERVED.isdisjoint(fields):
                fields = {f"{key}_" if key in RESERVED else key: fields[key] for key in fields}
            shown = masker.mapping(fields) if fields else _NOTHING
            exception = None if error is None else masker.text(trail_of(error))
            said = masker.text(event) if type(event) is str else str(masker.shown(event))
            line = self._line(level, logger, said, shown, exception)
            if len(line) > LINE_BYTES_MAX:
                line = self._line(level, logger, *_shortened(said, shown, exception))
        except Exception as broken:  # noqa: BLE001  A stranger's value may raise anything when it is looked at, and a line of a log must not.
            line = self._line(*unshown(level, logger, broken), None)
        self.writer.write(line)

    def _line(
        self,
        level: int,
        logger: str,
        event: str,
        fields: Mapping[str, object],
        exception: str | None,
    ) -> bytes:
        """Return a line, put together from parts of which most are ready."""
        trace = self._trace()
        return b"".join(
            (
                b'{"timestamp":"',
                self.stamp.text(self.wall_s()),
                _LEVELS[level],
                encode(event),
                self._loggers.get(logger) or self._named(logger),
                b"," + encode(fields)[1:-1] if fields else b"",
                self.tail,
                b"" if trace is None else _ids(trace, self.masker),
                b"" if exception is None else b',"exception":' + encode(exception),
                b"}\n",
            )
        )

    def _named(self, logger: str) -> bytes:
        """Return the part of a line that names its logger; of so many names it is remembered."""
        part = b',"logger":' + encode(logger)
        if len(self._loggers) < LOGGERS_MAX:
            self._loggers[logger] = part
        return part

    @property
    def missing(self) -> Mapping[str, int]:
        """How many lines nobody will read, by the reason: ``lost``, and ``burst`` for dropped."""
        return {"lost": self.writer.lost, "burst": 0 if self.burst is None else self.burst.dropped}

    def tell(self) -> None:
        """Say how many lines were dropped, and how many lost, since this was last said."""
        for dropped in () if self.burst is None else self.burst.take():
            self.write(
                WARNING,
                OWN,
                "lines dropped: a logger writes more than the burst limit",
                {
                    "lines": dropped.lines,
                    "of_logger": dropped.logger,
                    "of_level": NAMES[dropped.level],
                },
            )
        lost, told = self.writer.lost, self.told_lost
        # Of a process that forked off, nothing is lost yet.
        self.told_lost = lost
        if lost > told:
            lines = {"lines": lost - told}
            self.write(WARNING, OWN, "lines lost: nobody reads stdout fast enough", lines)

    def close(self) -> None:
        """Say what is missing, and write what waits; see ``Writer.close``. Lines may still come."""
        self.tell()
        self.writer.close()

    def tell_when_due(self) -> None:
        """Tell what is missing if the last time is a second ago, and the reader would get it."""
        now_s = self._monotonic_s()
        if now_s - self._told_s >= TELL_S and not self.writer.behind:
            self._told_s = now_s
            self.tell()


def unshown(
    level: object, logger: object, why: BaseException
) -> tuple[int, str, str, Mapping[str, object]]:
    """Return what is logged in place of a line whose values raise when they are looked at.

    Args:
        level: Its level, or whatever stood in its place.
        logger: Likewise its logger.
        why: What was raised; its class alone is told.

    Returns:
        Level, logger, event and fields.
    """
    number = level_of(level) if type(level) is int else WARNING
    name = logger if type(logger) is str else OWN
    return number, name, UNSHOWN, {"log_error": class_of(why)}


def _ids(trace: Trace, masker: Masker) -> bytes:
    """Return the part of a line that says which request it belongs to.

    Ids are hexadecimal or were looked at when they arrived, so that nothing needs to be escaped.
    """
    request_id = trace.request_id
    if request_id != trace.span_id:
        # What a peer called it may be anything, an address of mail too.
        request_id = masker.identifier(request_id)
    return (
        f',"trace_id":"{trace.trace_id}","span_id":"{trace.span_id}","request_id":"{request_id}"'
    ).encode()


def _shortened(
    event: str, fields: Mapping[str, object], exception: str | None
) -> tuple[str, dict[str, object], str | None]:
    """Return of a line that was too long what says most: so much is sure to fit."""
    some = islice(fields.items(), _SHORTENED_FIELDS)
    short = {key[:_SHORTENED_CHARS]: _short(value, _SHORTENED_CHARS) for key, value in some}
    if exception is not None:
        exception = _short(exception, _SHORTENED_OWN_CHARS)
    return _short(event, _SHORTENED_OWN_CHARS), {**short, "shortened": True}, exception


def _short(value: object, chars: int) -> Any:
    # Any: what it was, or a text.
    if isinstance(value, str):
        return value if len(value) <= chars else value[:chars] + ELIDED
    return ELIDED if isinstance(value, list | dict) else value
