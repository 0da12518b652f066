"""Commands in hard places: a daemon that stands still, a folder too deep, a program that reads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.system.up.site import Site, Status, eventually

from mainstay.core.sockets import find_socket

pytestmark = pytest.mark.system

DECLARATION = "service: web\ncommand: python plain.py $PORT\nrun: {replicas: 1}\nedge: @PORT@\n"


def test_a_daemon_that_stands_still_is_named_and_does_not_obey_afterwards(site: Site) -> None:
    site.declare(DECLARATION)
    daemon = psutil.Process(site.up()["daemon"]["pid"])
    daemon.suspend()
    try:
        done = site.run("down", timeout_s=30)
    finally:
        daemon.resume()
    assert done.returncode == 1
    assert f"(process {daemon.pid}) does not answer" in done.stderr
    assert f"kill -CONT {daemon.pid}" in done.stderr
    # Asked after it, so answered after it: had it been carried out, nothing would be left.
    status = site.run("status", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["daemon"]["pid"] == daemon.pid
    assert site.get()[0] == 200
    assert site.run("down").returncode == 0
    site.assert_nothing_left()


def test_the_foreground_tells_programs_what_happens(site: Site) -> None:
    site.declare(DECLARATION)
    running = site.start("up", "--json")
    eventually(site.answers, what="the system is not up")
    assert running.stdout is not None
    lines: list[Status] = []
    while not lines or lines[-1]["event"] != "SystemReady":
        lines.append(json.loads(running.stdout.readline()))
    assert {"ReplicaStarted", "ReplicaReady", "EdgeStarted"} <= {one["event"] for one in lines}
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert "ReplicaEnded" in {json.loads(line)["event"] for line in rest.splitlines()}
    assert running.returncode == 0
    site.assert_nothing_left()


def test_a_deep_folder_is_found_from_every_environment_and_leaves_no_socket_folder(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ("deep" * 20) / ("down" * 20)
    folder.mkdir(parents=True)
    site = Site(folder)
    site.declare(DECLARATION)
    state = folder / ".mainstay"
    shorts = [find_socket(state, "s").parent, find_socket(state / "edge", "s").parent]
    assert not any(short.is_relative_to(tmp_path) for short in shorts)
    elsewhere = tmp_path / "t"
    elsewhere.mkdir()

    def from_elsewhere(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mainstay", *words],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(elsewhere), "XDG_RUNTIME_DIR": str(elsewhere)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    try:
        pid = site.up()["daemon"]["pid"]
        assert all(short.is_dir() for short in shorts)
        status = from_elsewhere("status", "--json")
        assert status.returncode == 0, status.stdout + status.stderr
        assert json.loads(status.stdout)["daemon"]["pid"] == pid
    finally:
        ended = from_elsewhere("down")
        # Nothing is left to end, unless that failed.
        site.run("down")
    assert ended.returncode == 0, ended.stderr
    site.assert_nothing_left()
    assert from_elsewhere("status").returncode == 1
    assert list(elsewhere.iterdir()) == []
    assert not [path for path in shorts if path.exists()]
