import sys
from collections.abc import Iterator
from typing import Any

import loguru
import pytest
import structlog
from tests.telemetry.logs.sinks import Kept, logger_into, logs_into

from mainstay.core.errors import PartMissing
from mainstay.telemetry.logs import current
from mainstay.telemetry.logs.levels import WARNING
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.loguru_messages import join_loguru
from mainstay.telemetry.logs.standard import Standard
from mainstay.telemetry.logs.structlog_events import join_structlog


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture(autouse=True)
def structlog_as_it_was() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def same(kept: Kept) -> dict[str, Any]:
    """Return the last line without what differs by nature."""
    return {key: value for key, value in kept.last().items() if key != "logger"}


def test_all_of_them_say_the_same_line(kept: Kept) -> None:
    """By one event with fields, a secret and an exception."""
    door = Door(logs_into(kept))
    error = ValueError("bad")
    logger_into(kept).error("order failed", order=7, password="x", exc_info=error)
    expected = same(kept)
    leave = join_structlog(door)
    structlog.get_logger("a").error("order failed", order=7, password="x", exc_info=error)
    assert same(kept) == expected
    leave()
    leave = join_loguru(door)
    loguru.logger.bind(order=7, password="x").opt(exception=error).error("order failed")
    assert same(kept) == expected
    leave()


def test_structlog_keeps_its_own_processors_and_leaves_ours_the_rest(kept: Kept) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            lambda _logger, _method, event: {**event, "added": True},
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ]
    )
    leave = join_structlog(Door(logs_into(kept)))
    structlog.contextvars.bind_contextvars(tenant="t1")
    log = structlog.get_logger("shop").bind(order=1)
    log.info("a", user=2)
    log.warning("b %s", 3)
    log.debug("not written")
    structlog.contextvars.clear_contextvars()
    first, second = kept.lines()
    assert (first["logger"], first["event"], first["added"]) == ("shop", "a", True)
    assert (first["tenant"], first["order"], first["user"]) == ("t1", 1, 2)
    assert (second["event"], second["level"]) == ("b 3", "warning")
    leave()
    assert structlog.get_config()["processors"][-1].__class__.__name__ == "JSONRenderer"


def test_structlog_exceptions_and_levels(kept: Kept) -> None:
    join_structlog(Door(logs_into(kept, level=WARNING)))
    log = structlog.get_logger()
    log.info("not written")
    try:
        raise KeyError("k")  # noqa: TRY301  The case.
    except KeyError:
        log.exception("failed")
    log.critical("worse")
    assert [line["level"] for line in kept.lines()] == ["error", "critical"]
    assert kept.lines()[0]["exception"].endswith("KeyError: 'k'")
    assert kept.lines()[0]["logger"] == "structlog"


def test_loguru_levels_and_extra(kept: Kept) -> None:
    leave = join_loguru(Door(logs_into(kept)))
    log = loguru.logger
    log.success("done", order=7)
    log.trace("not written")
    log.warning("{} of {}", 1, 2)  # noqa: PLE1205  It is loguru's.
    leave()
    done, warned = kept.lines()
    assert (done["level"], done["event"], done["order"]) == ("info", "done", 7)
    assert done["logger"] == __name__
    assert (warned["level"], warned["event"]) == ("warning", "1 of 2")


def test_loguru_shows_no_values_of_variables(kept: Kept) -> None:
    leave = join_loguru(Door(logs_into(kept)))
    hidden = "hunter" + "22"
    try:
        int(hidden)
    except ValueError:
        loguru.logger.exception("failed")
    leave()
    assert kept.last()["exception"].count(hidden) == 1  # The error's own text.
    assert "hidden =" not in kept.last()["exception"]


@pytest.mark.parametrize(("name", "join"), [("structlog", join_structlog), ("loguru", join_loguru)])
def test_a_library_that_is_missing_is_said_in_words(
    name: str, join: Any, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PartMissing, match=f"pip install {name}"):
        join(Door(logs_into(kept)))


def test_loggers_made_before_the_service_is_known_follow_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Kept()
    monkeypatch.setattr(current, "_doors", {"": Door(logs_into(first, service="unknown"))})
    log = current.get_logger("early")
    log.info("before")
    current.use(logs_into(kept))
    log.info("after")
    assert [line["service"] for line in first.lines()] == ["unknown"]
    assert [(line["service"], line["event"]) for line in kept.lines()] == [("shop", "after")]


STDLIB: dict[str, Any] = {
    "logger_factory": structlog.stdlib.LoggerFactory(),
    "wrapper_class": structlog.stdlib.BoundLogger,
}


def text_of(_logger: object, _method: str, event: Any) -> str:
    """Make a text, as a program's own renderer does, of what processors before it added."""
    return f"{event.pop('event')} {event['timestamp']} {event}"


def pair_of(_logger: object, _method: str, event: Any) -> Any:
    # Any: structlog's own type of a pair.
    return (event.pop("event"),), {"extra": event}


@pytest.mark.parametrize(
    ("last", "changed"),
    [
        ([structlog.stdlib.ProcessorFormatter.wrap_for_formatter], STDLIB),
        ([structlog.stdlib.render_to_log_kwargs], STDLIB),
        ([structlog.stdlib.render_to_log_args_and_kwargs], STDLIB),
        ([structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()], {}),
        ([structlog.processors.EventRenamer("msg", "_event")], {}),
        ([text_of], {}),
        ([pair_of], {}),
        ([lambda _logger, _method, event: str(event).encode()], {}),
        ([lambda _logger, _method, event: event], {}),
    ],
)
def test_whatever_structlog_ends_with_the_line_is_the_same(
    last: list[Any], changed: dict[str, Any], kept: Kept
) -> None:
    """Its own ways to hand on to the standard library, and renderers that nobody knows."""
    before = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name]
    structlog.configure(processors=[*before, *last], **changed)
    leave = join_structlog(Door(logs_into(kept)))
    try:
        raise ValueError("bad")  # noqa: TRY301  The case.
    except ValueError:
        structlog.get_logger("shop").exception("order failed", order=7, password="x")
    leave()
    line = kept.last()
    assert (line["event"], line["logger"], line["level"]) == ("order failed", "shop", "error")
    assert (line["order"], line["password"]) == (7, "***")
    assert line["exception"].endswith("ValueError: bad")
    assert not line.keys() & {"message", "msg", "extra", "exc_info", "level_", "logger_"}


def test_an_event_that_structlog_drops_is_no_line(kept: Kept) -> None:
    def drop(_logger: object, _method: str, _event: Any) -> Any:
        # Any: structlog's own type.
        raise structlog.DropEvent

    structlog.configure(processors=[drop])
    leave = join_structlog(Door(logs_into(kept)))
    structlog.get_logger("shop").info("a")
    leave()
    assert kept.lines() == []


@pytest.mark.parametrize("renamed", [[], [structlog.processors.EventRenamer("msg")]])
def test_a_logger_of_structlog_that_goes_by_the_standard_library_says_the_same(
    renamed: list[Any], kept: Kept
) -> None:
    """One that was used before, and caches; or one that was configured afterwards."""
    standard = Standard(Door(logs_into(kept)))
    wrap = structlog.stdlib.ProcessorFormatter.wrap_for_formatter
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
            *renamed,
            wrap,
        ],
        **STDLIB,
    )
    error = ValueError("bad")
    structlog.get_logger("shop").error("order failed", order=7, exc_info=error)
    standard.leave()
    line = kept.last()
    assert (line["event"], line["logger"], line["order"]) == ("order failed", "shop", 7)
    assert line["exception"] == "ValueError: bad"
    assert not {key for key in line if key.startswith("_") or key.endswith("_")}
