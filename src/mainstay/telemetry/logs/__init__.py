"""Lines of a log: one JSON object each, masked, on a stdout that nobody waits for."""

from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.logs.current import get_logger
from mainstay.telemetry.logs.joining import join, logs_of
from mainstay.telemetry.logs.logger import Logger
from mainstay.telemetry.logs.logs import Logs

__all__ = ["AccessLine", "Logger", "Logs", "get_logger", "join", "logs_of"]
