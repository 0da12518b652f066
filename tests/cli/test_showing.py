"""Showing a status into pipes and files: every look at once, and whole."""

import json
from typing import Any

import pytest

from mainstay.cli.showing import WATCH_S, print_status, watch_status

STATUS: dict[str, Any] = {
    "system": "shop",
    "settled": True,
    "daemon": {"pid": 11},
    "proxy": {"pid": 12, "restarts": 0},
    "services": [
        {
            "name": "web",
            "state": "ok",
            "version": "v1",
            "ready": 1,
            "wanted": 1,
            "restarts": 0,
            "url": "http://127.0.0.1:8080",
            "internal_url": None,
            "last_end": None,
            "traffic": {"per_s": 1.0, "errors_per_s": 0.0, "p50_ms": None, "p99_ms": 2.0},
            "replicas": [{"name": "web-1", "state": "ready", "pid": 13, "memory_bytes": 2**20}],
        }
    ],
}


class Watch:
    """Looks three times, as one who then presses Ctrl-C; what was shown by then is kept."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.shown: list[str] = []
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.shown.append(self._capsys.readouterr().out)
        self.waits.append(seconds)
        if len(self.waits) == 3:
            raise KeyboardInterrupt


def test_a_watched_status_is_in_the_pipe_after_every_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch = Watch(capsys)
    watch_status(lambda: STATUS, as_json=False, wait=watch.wait)
    assert watch.waits == [WATCH_S] * 3
    for shown in watch.shown:
        assert shown.startswith("shop ")
        assert "web-1" in shown
        assert shown.endswith("\n\n")
        assert "\x1b" not in shown


def test_with_json_every_look_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch(capsys)
    watch_status(lambda: STATUS, as_json=True, wait=watch.wait)
    assert [json.loads(shown) for shown in watch.shown] == [STATUS] * 3
    assert all(shown.count("\n") == 1 for shown in watch.shown)


def test_once_it_is_a_table_or_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(STATUS, as_json=True)
    assert json.loads(capsys.readouterr().out) == STATUS
    print_status(STATUS, as_json=False)
    assert "http://127.0.0.1:8080" in capsys.readouterr().out
