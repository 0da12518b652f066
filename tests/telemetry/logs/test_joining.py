import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.telemetry.logs.sinks import Kept, logs_into

from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Logs as DeclaredLogs
from mainstay.spec.telemetry import Telemetry
from mainstay.telemetry.logs import current
from mainstay.telemetry.logs.joining import join, logs_of
from mainstay.telemetry.logs.levels import ERROR
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.writer import Writer
from mainstay.testing.clock import VirtualClock

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "logs.md"


def declared(logs: DeclaredLogs | None) -> Declaration:
    return Declaration(
        service="shop", app="a:b", telemetry=Telemetry(logs=logs, environment="production")
    )


def test_what_is_declared_holds() -> None:
    kept = Kept()
    logs = logs_of(
        declared(DeclaredLogs(level="error", burst_per_s=2.0, mask=("shoe",))),
        replica="shop-2",
        writer=Writer(kept.outlet()),
        clock=VirtualClock(),
    )
    assert logs is not None
    for _ in range(5):
        logs.log(ERROR, "a", "x", {"shoe": 1})
        logs.log(ERROR - 10, "a", "not written", {})
    lines = kept.lines()
    assert len(lines) == 2
    assert lines[0]["shoe"] == "***"
    assert (lines[0]["environment"], lines[0]["replica"]) == ("production", "shop-2")


def test_logs_may_be_off_and_without_a_limit() -> None:
    assert logs_of(declared(None)) is None
    kept = Kept()
    unbounded = logs_of(declared(DeclaredLogs(burst_per_s=None)), writer=Writer(kept.outlet()))
    assert unbounded is not None
    for _ in range(2000):
        unbounded.log(ERROR, "a", "x", {})
    assert len(kept.lines()) == 2000


def test_join_lets_all_lines_come_here_and_leave_undoes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setattr(current, "_doors", {"": Door(logs_into(Kept()))})
    hook, handlers = sys.excepthook, list(logging.getLogger().handlers)
    leave = join(logs_into(kept)).leave
    current.get_logger("ours").info("a")
    logging.getLogger("standard").warning("b")
    assert [line["event"] for line in kept.lines()] == ["a", "b"]
    assert sys.excepthook is not hook
    leave()
    assert sys.excepthook is hook
    assert logging.getLogger().handlers == handlers


def test_the_example_of_the_guide_says_what_the_guide_shows() -> None:
    text = GUIDE.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    placed, declined, failed = (json.loads(line) for line in done.stdout.splitlines())
    expected = json.loads(shown)
    assert {**placed, "timestamp": ""} == {**expected, "timestamp": ""}
    assert list(placed) == list(expected)
    assert (declined["order_id"], declined["card_number"]) == ("o-17", "***")
    assert failed["exception"].endswith("KeyError: 'stock'")
    assert done.stderr == b""


def test_logs_need_no_library() -> None:
    """Without orjson, structlog and loguru the same line comes out."""
    code = (
        "import sys\n"
        "for name in ('orjson', 'structlog', 'loguru'): sys.modules[name] = None\n"
        "sys.modules.pop('structlog'); sys.modules.pop('loguru')\n"
        "from mainstay.telemetry.logs import Logs, get_logger, join\n"
        "join(Logs(service='s'))\n"
        "get_logger('x').info('é', a=[1.5, None, {'token': 'y'}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    line = json.loads(done.stdout)
    assert (line["event"], line["a"]) == ("é", [1.5, None, {"token": "***"}])


def test_of_those_who_join_the_last_one_gets_each_line_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Kept(), Kept()
    monkeypatch.setattr(current, "_doors", {"": Door(logs_into(Kept()))})
    outer = join(logs_into(first))
    inner = join(logs_into(second))
    logging.getLogger("standard").warning("b")
    inner.leave()
    logging.getLogger("standard").warning("a")
    outer.leave()
    assert [line["event"] for line in second.lines()] == ["b"]
    assert [line["event"] for line in first.lines()] == ["a"]
