"""Checks that wait until they are let on, and how a test asks a board."""

import threading
from typing import Any

from mainstay.service.inbound.health.board import Board, Wanted, everything
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.document import Status


class Gate:
    """A check that answers when it is opened, and counts how often it was started."""

    def __init__(self) -> None:
        self.started = 0
        self._open = threading.Event()

    def check(self) -> bool:
        self.started += 1
        assert self._open.wait(60)
        return True

    def open(self) -> None:
        self._open.set()


def check(name: str, run: Any, **changed: Any) -> Check:
    return Check(**{"name": name, "run": run, "critical": True, "timeout_s": 30.0, **changed})


def statuses(board: Board, wanted: Wanted = everything) -> dict[str, tuple[Status, str | None]]:
    return {
        name: (outcome.finding.status, outcome.finding.output)
        for name, outcome in board.ask(wanted).items()
    }
