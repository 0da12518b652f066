import io
import logging
import logging.config
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import rich.console
import rich.logging
import sqlalchemy
from tests.telemetry.logs.sinks import Kept, logs_into

from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.standard import Standard
from mainstay.telemetry.logs.streams import is_standard_stream

TREE = ("tree", "tree.child", "tree.child.leaf")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture(autouse=True)
def tree_as_it_was() -> Iterator[None]:
    """The loggers of this file, and the root, as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for name in TREE:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate, logger.disabled = [], True, False
        logger.setLevel(logging.NOTSET)
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def standard(kept: Kept) -> Iterator[Standard]:
    made = Standard(Door(logs_into(kept)))
    yield made
    made.leave()


def configure(*, propagate: bool) -> None:
    """Set logging up as its guide does: a console at a logger, at one below it, and at the root."""
    console = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"console": console, "also": console},
            "loggers": {
                "tree": {"handlers": ["console"], "level": "INFO", "propagate": propagate},
                "tree.child.leaf": {"handlers": ["also"]},
            },
            "root": {"handlers": ["console"], "level": "INFO"},
        }
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("propagate", [True, False])
def test_each_line_comes_once_and_masked_whoever_configured_logging_and_when(
    *, when: str, propagate: bool, kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    if when == "before":
        configure(propagate=propagate)
    standard = Standard(Door(logs_into(kept)))
    if when == "after":
        configure(propagate=propagate)
    for name in (*TREE, "elsewhere"):
        logging.getLogger(name).info("login password=%s", "hunter22")
    standard.leave()
    assert [line["logger"] for line in kept.lines()] == [*TREE, "elsewhere"]
    assert {line["event"] for line in kept.lines()} == {"login password=***"}
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("standard")
def test_a_handler_that_a_library_adds_by_itself_writes_no_line(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLAlchemy's ``echo`` is the usual one."""
    engine = sqlalchemy.create_engine("sqlite://", echo=True)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text("select 17"))
    engine.dispose()
    assert [line["event"] for line in kept.lines()].count("select 17") == 1
    assert capsys.readouterr() == ("", "")
    logging.getLogger("sqlalchemy.engine.Engine").handlers = []


@pytest.mark.usefixtures("standard")
def test_what_no_handler_takes_is_a_line_as_from_the_standard_librarys_last_resort(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("tree")
    logger.propagate = False
    logger.info("not written")
    logger.warning("token=%s", "hunter22")
    assert [line["event"] for line in kept.lines()] == ["token=***"]
    assert capsys.readouterr() == ("", "")


def test_files_and_what_writes_elsewhere_stay(kept: Kept, tmp_path: Path) -> None:
    logger, elsewhere = logging.getLogger("tree"), io.StringIO()
    file = logging.FileHandler(tmp_path / "log")
    handlers: list[logging.Handler] = [file, logging.StreamHandler(elsewhere)]
    logger.handlers = list(handlers)
    standard = Standard(Door(logs_into(kept)))
    logger.warning("a")
    standard.leave()
    file.close()
    assert logger.handlers == handlers
    assert (tmp_path / "log").read_text("utf-8") == elsewhere.getvalue() == "a\n"
    assert [line["event"] for line in kept.lines()] == ["a"]


def test_what_was_taken_is_put_back_and_what_came_later_stays(kept: Kept) -> None:
    logger, factory = logging.getLogger("tree"), logging.getLogRecordFactory()
    last_resort, root = logging.lastResort, list(logging.root.handlers)
    console, late = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    other = logging.StreamHandler(io.StringIO())
    logger.handlers, logger.propagate = [console], False
    standard = Standard(Door(logs_into(kept)))
    assert console not in logger.handlers
    logger.addHandler(late)
    logger.addHandler(other)
    logger.info("not taken into account before a record passes")
    standard.again()
    assert late not in logger.handlers
    standard.leave()
    assert logger.handlers == [console, late, other]
    assert not logger.propagate
    assert logging.getLogRecordFactory() is factory
    assert logging.lastResort is last_resort
    assert logging.root.handlers == root


def test_a_factory_of_records_that_came_later_does_no_harm_when_ours_has_left(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    standard = Standard(Door(logs_into(kept)))
    ours = logging.getLogRecordFactory()
    monkeypatch.setattr(logging, "_logRecordFactory", partial(ours))
    standard.leave()
    console = logging.StreamHandler(sys.stdout)
    logging.getLogger("tree").addHandler(console)
    logging.getLogger("tree").warning("shown as it was")
    assert logging.getLogger("tree").handlers == [console]
    assert kept.lines() == []


def test_standard_streams_are_known_in_all_their_forms(tmp_path: Path) -> None:
    assert is_standard_stream(logging.StreamHandler(sys.stdout))
    assert is_standard_stream(logging.StreamHandler(sys.__stderr__))
    assert is_standard_stream(rich.logging.RichHandler())
    assert is_standard_stream(logging.FileHandler("/dev/stdout", delay=True))
    assert not is_standard_stream(logging.StreamHandler(io.StringIO()))
    assert not is_standard_stream(logging.FileHandler(tmp_path / "stdout", delay=True))
    assert not is_standard_stream(logging.NullHandler())
    console = rich.console.Console(file=io.StringIO())
    assert not is_standard_stream(rich.logging.RichHandler(console=console))


def test_a_program_with_everything_says_json_alone() -> None:
    """In a process of its own: nothing but lines, whatever it had set up."""
    code = (
        "import logging, sys, gc\n"
        "console = logging.StreamHandler(sys.stdout)\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "logging.getLogger('named').addHandler(console)\n"
        "from mainstay.telemetry.logs import Logs, join\n"
        "join(Logs(service='s'))\n"
        "logging.getLogger('named').warning('password=hunter22')\n"
        "logging.getLogger('late').addHandler(logging.StreamHandler())\n"
        "logging.getLogger('late.child').error('password=hunter22')\n"
        "class Ends:\n"
        "    def __del__(self): raise ValueError('password=hunter22')\n"
        "Ends(); gc.collect()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.startswith('{"timestamp":') for line in lines)
    assert '"where":"Ends.__del__"' in lines[2]
    assert done.stderr == ""
    assert "hunter22" not in done.stdout
