"""Every field of the lines that we write ourselves: a change of them is a visible difference.

Run this file as a program to write the golden file anew, and read the difference.
"""

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.telemetry.logs.sinks import Kept, burst_of, logs_into
from tests.telemetry.traces.kit import exchange

from mainstay.core.trace import enter_trace, leave_trace
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.logs.failed import FailureLine
from mainstay.telemetry.logs.logger import Door, Logger
from mainstay.telemetry.logs.unhandled import join_unhandled

GOLDEN = Path(__file__).parents[1] / "golden" / "lines.txt"


def lines() -> dict[str, dict[str, Any]]:
    """Return one of each kind, with every field that it may have."""
    kept = Kept()
    logs = logs_into(kept, burst=burst_of(3))
    door = Door(logs)
    found: dict[str, dict[str, Any]] = {}
    one = exchange(status=500, refusal=FAILED, error="LookupError")
    token = enter_trace(one)
    Logger("shop.orders", door).error("order failed", exc_info=LookupError("stock"))
    found["any line within a request, besides its own fields"] = kept.last()
    leave_trace(token)
    AccessLine(logs, lambda _exchange: "/items/{id}").ended(one, 6.0)
    found["a request"] = kept.last()
    line = FailureLine(logs)
    line.failed(one, LookupError(), "")
    found["an error of a request that nobody handled"] = kept.last()
    line.failed(one, LookupError(), "send_receipt")
    found["an error of work in the background"] = kept.last()
    for _ in range(6):
        Logger("busy", door).warning("again")
    logs.writer.lost = 1
    logs.tell()
    dropped, lost = kept.lines()[-2:]
    found["lines above the burst limit"], found["lines that nobody read"] = dropped, lost
    found |= _unhandled(door, kept)
    return found


def _unhandled(door: Door, kept: Kept) -> dict[str, dict[str, Any]]:
    before = sys.unraisablehook
    # Another one's would be called as well, and looks at more than is there.
    sys.unraisablehook = sys.__unraisablehook__
    leave = join_unhandled(door)
    try:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        ended = kept.last()
        sys.excepthook(LookupError, LookupError(), None)
        end = kept.last()
        told = SimpleNamespace(exc_type=LookupError, exc_value=LookupError(), object=_unhandled)
        sys.unraisablehook(cast("sys.UnraisableHookArgs", told))
        return {
            "a thread that ended by an error": ended,
            "the program's end": end,
            "an error of a destructor": kept.last(),
        }
    finally:
        leave()
        sys.unraisablehook = before


def page() -> str:
    shown = []
    for what, line in lines().items():
        shown.append(f"{what}: {line['level']} {line['event']!r} by {line['logger']}")
        shown += [f"  {name}" for name in line]
    return "\n".join([*shown, ""])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_names_are_those_that_are_written_down() -> None:
    assert GOLDEN.read_text("utf-8") == page()


if __name__ == "__main__":
    GOLDEN.write_text(page(), "utf-8")
