"""Lines of the proxy, which nothing masks where they are written."""

import json

from mainstay.cli.edge_lines import masked
from mainstay.control.logs.entry import Entry, entry_of
from mainstay.control.logs.follower import Line
from mainstay.telemetry.masking import Masker

TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
LINE = {
    "time": "2026-01-31T12:00:00.500Z", "service": "web", "listener": "public", "method": "GET",
    "path": f"/nix/{TOKEN}/alice@example.org", "status": 404, "duration_ms": 3,
    "replica": "127.0.0.1:41873", "request_id": "4b3ca2a7-9a2e-4c0e-8a67-3b7e1f0a9c1d",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "user_agent": "Bearer abcdefgh12345",
}  # fmt: skip


def read(replica: str, text: str) -> Entry:
    return entry_of(Line(replica=replica, text=text))


def test_the_proxys_lines_are_shown_without_secrets() -> None:
    entry = masked(read("edge", json.dumps(LINE)), Masker())
    assert entry.fields == LINE | {"path": "/nix/***/***", "user_agent": "Bearer ***"}
    for secret in (TOKEN, "alice", "abcdefgh12345"):
        assert secret not in entry.text


def test_what_the_proxy_says_otherwise_is_masked_likewise() -> None:
    entry = masked(read("edge", "error: password=hunter22 for bob@example.org"), Masker())
    assert entry.text == "error: password=*** for ***"


def test_lines_of_replicas_are_shown_as_they_were_written() -> None:
    """A service masks its own; another program's lines are what one looks for."""
    entry = read("web-1", json.dumps(LINE))
    assert masked(entry, Masker()) is entry
