import gc
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.telemetry.logs.hostile import VALUES
from tests.telemetry.logs.sinks import Kept, logs_into

from mainstay.telemetry.logs.levels import INFO
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.logs import UNSHOWN
from mainstay.telemetry.logs.standard import ACCESS_LOGGERS, Handler, Standard
from mainstay.telemetry.logs.unhandled import join_unhandled


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def joined(kept: Kept) -> Iterator[Door]:
    door = Door(logs_into(kept))
    standard = Standard(door)
    yield door
    standard.leave()


@pytest.mark.usefixtures("joined")
def test_records_come_out_as_all_lines_do(kept: Kept) -> None:
    logging.getLogger("shop.db").warning("slow query: %d ms", 900, extra={"table": "orders"})
    line = kept.last()
    assert (line["event"], line["level"], line["logger"]) == (
        "slow query: 900 ms",
        "warning",
        "shop.db",
    )
    assert line["table"] == "orders"
    assert {"timestamp", "event", "level", "logger", "table", "service", "version"} < line.keys()
    # Nothing of a record's own attributes, such as its thread or file.
    assert len(line) == 9


@pytest.mark.usefixtures("joined")
def test_exceptions_stacks_and_odd_levels(kept: Kept) -> None:
    log = logging.getLogger("x")
    try:
        raise OSError("token=abc1")  # noqa: TRY301  The case.
    except OSError:
        log.exception("failed")
    log.log(35, "between", stack_info=True)
    failed, between = kept.lines()
    assert failed["exception"].endswith("OSError: token=***")
    assert between["level"] == "warning"
    assert "Stack (most recent call last)" in between["stack"]


def test_arguments_that_do_not_fit_are_told_and_not_shown(kept: Kept) -> None:
    """The standard library would print the arguments, secrets included, on stderr."""
    record = logging.LogRecord("x", INFO, "f.py", 1, "%d orders", ("hunter22",), None)
    Handler(Door(logs_into(kept))).handle(record)
    line = kept.last()
    assert line["event"] == "%d orders"
    assert line["log_error"].startswith("TypeError")
    assert "hunter22" not in str(line)


@pytest.mark.usefixtures("joined")
def test_an_event_of_structlog_over_logging_keeps_its_fields(kept: Kept) -> None:
    message: Any = {"event": "order placed", "order": 7, "password": "x"}
    logging.getLogger("x").info(message)
    line = kept.last()
    assert (line["event"], line["order"], line["password"]) == ("order placed", 7, "***")


@pytest.mark.usefixtures("joined")
def test_levels_below_the_declared_one_cost_nothing_and_are_not_written(kept: Kept) -> None:
    logging.getLogger("x").debug("detail")
    assert kept.lines() == []
    assert logging.getLogger().level == INFO


@pytest.mark.usefixtures("joined")
def test_warnings_are_lines(kept: Kept) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        # catch_warnings put Python's own way back.
        logging.captureWarnings(True)  # noqa: FBT003  The standard library's signature.
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    assert kept.last()["logger"] == "py.warnings"
    assert "old way" in kept.last()["event"]


def test_servers_say_each_line_once_and_no_access_lines(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handlers on standard streams go, as servers and basicConfig set them; files stay."""
    server, access, root = (logging.getLogger(name) for name in ("uvicorn", "uvicorn.access", ""))
    printed = _Stream()
    to_file = logging.FileHandler(tmp_path / "log")
    for logger in (server, access, root):
        monkeypatch.setattr(logger, "handlers", [logging.StreamHandler(printed)])
    server.handlers.append(to_file)
    monkeypatch.setattr(server, "propagate", False)
    monkeypatch.setattr(access, "level", INFO)
    before = [list(logger.handlers) for logger in (server, access, root)]
    standard = Standard(Door(logs_into(kept)))
    server.warning("starting")
    access.info("GET /")
    logging.getLogger("app").warning("mine")
    assert [line["event"] for line in kept.lines()] == ["starting", "mine"]
    assert printed.text == ""
    standard.leave()
    assert [list(logger.handlers) for logger in (server, access, root)] == before
    assert not server.propagate
    to_file.close()
    assert (tmp_path / "log").read_text("utf-8") == "starting\n"


class _Stream:
    name = "<stderr>"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        """Keep nothing back."""


def test_access_logs_of_known_servers_are_named() -> None:
    """Those that they configure themselves."""
    from django.utils.log import DEFAULT_LOGGING as LOGGING  # type: ignore[import-untyped]
    from granian.log import LOGGING_CONFIG
    from uvicorn.config import LOGGING_CONFIG as UVICORN

    granian: Any = LOGGING_CONFIG["loggers"]  # Any: its type says object.
    servers: Any = LOGGING["loggers"]  # Any: its type says no more.
    uvicorn: Any = UVICORN["loggers"]  # Any: as above.
    of_access = {name for name in (*granian, *uvicorn, *servers) if "access" in name}
    assert of_access | {"django.server"} <= {*ACCESS_LOGGERS}
    assert len(of_access) == 2
    assert "django.server" in servers


def test_a_handler_holds_no_lock_across_forks(kept: Kept) -> None:
    assert Handler(Door(logs_into(kept))).lock is None


def test_errors_that_end_the_program_or_a_thread_are_lines(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: called.append(args[1]))
    monkeypatch.setattr(threading, "excepthook", lambda args: called.append(args.exc_value))
    leave = join_unhandled(Door(logs_into(kept)))
    error = ValueError("api_key=abc1")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: 1 / 0, name="worker")
    thread.start()
    thread.join(10)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    ended, threaded = kept.lines()
    assert (ended["level"], ended["exception"]) == ("critical", "ValueError: api_key=***")
    assert (threaded["level"], threaded["thread"]) == ("error", "worker")
    # Hooks that somebody else set are called as well.
    assert called[0] is error
    assert isinstance(called[1], ZeroDivisionError)
    assert isinstance(called[2], KeyboardInterrupt)
    leave()
    assert sys.excepthook.__name__ == "<lambda>"


def test_httpx_says_no_line_for_each_call_unless_somebody_asked_for_it() -> None:
    kept, logger = Kept(), logging.getLogger("httpx")
    standard = Standard(Door(logs_into(kept)))
    logger.info("HTTP Request: GET http://shop/?q=1")
    logger.warning("odd")
    standard.leave()
    assert [line["event"] for line in kept.lines()] == ["odd"]
    assert logger.level == logging.NOTSET
    logger.setLevel(logging.DEBUG)
    standard = Standard(Door(logs_into(kept)))
    logger.info("asked for")
    standard.leave()
    logger.setLevel(logging.NOTSET)
    assert kept.last()["event"] == "asked for"


def test_no_record_raises_whatever_it_holds(kept: Kept) -> None:
    """The standard library's own answer to an error would print the record's arguments."""
    log = logging.Logger("x")  # noqa: LOG001  Not in the tree, where others would look at it too.
    log.addHandler(Handler(Door(logs_into(kept))))
    for value in VALUES:
        log.info(value)
        # With a second one, since of one alone LogRecord looks at the class by itself.
        log.info("%s %s", value, 1)
        log.info("%(a)s", {"a": value})
        log.info("a", extra={"b": value, "token": value})
    log.handle(logging.makeLogRecord({"name": "x", "msg": "a", "levelno": 30.5}))
    assert len(kept.lines()) == 4 * len(VALUES) + 1


def test_a_record_without_a_level_is_a_line_all_the_same(kept: Kept) -> None:
    record = logging.makeLogRecord({"name": "x", "msg": "a", "levelno": "INFO"})
    Handler(Door(logs_into(kept))).emit(record)
    assert (kept.last()["event"], kept.last()["level"]) == (UNSHOWN, "warning")


@pytest.mark.usefixtures("joined")
def test_arguments_are_hidden_by_their_names(kept: Kept) -> None:
    logging.getLogger("x").info("%(user)s: %(password)s", {"user": 7, "password": "hunter22"})
    assert kept.last()["event"] == "7: ***"
    logging.getLogger("x").info("%(pin)d", {"pin": 1234})
    assert kept.last()["event"] == "%(pin)d"
    assert "1234" not in str(kept.last())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_errors_that_cannot_be_raised_are_lines(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: called.append(args.exc_value))
    leave = join_unhandled(Door(logs_into(kept)))

    class Ends:
        def __del__(self) -> None:
            raise ValueError("api_key=abc1")

    made: list[Ends] = [Ends()]
    made.clear()
    gc.collect()
    leave()
    line = kept.last()
    assert (line["level"], line["event"]) == ("error", "an error could not be raised")
    assert line["exception"].endswith("ValueError: api_key=***")
    assert line["where"].endswith("Ends.__del__")
    # A hook that somebody else set is called as well.
    assert isinstance(called[0], ValueError)
