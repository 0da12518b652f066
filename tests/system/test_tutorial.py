"""The tutorial, run as it stands: its files written, its commands typed."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ports import free_port

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-system.md"
PORT = "8088"


def _listens(port: str) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", int(port))) == 0


def _write_files(text: str, folder: Path) -> list[str]:
    files = re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', text, flags=re.DOTALL)
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return [name for name, _ in files]


def _commands(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def _run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    bin_folder = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": bin_folder + os.pathsep + os.environ.get("PATH", "")}
    return subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.system
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    port = str(free_port())
    text = TUTORIAL.read_text("utf-8").replace(PORT, port)
    names = _write_files(text, tmp_path)
    assert names == [
        "shelf/app.py",
        "shelf/mainstay.yaml",
        "front/app.py",
        "front/mainstay.yaml",
        "mainstay.yaml",
    ]
    commands = _commands(text)
    try:
        done = _run("\n".join(commands), tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        # What a failure leaves running is ended with the system's own command.
        ended = _run("mainstay down", tmp_path)
    assert "Sailing Alone Around the World" in done.stdout
    report = json.loads((tmp_path / "load.json").read_text("utf-8"))["total"]
    assert report["requests"] == 1000
    assert report["failed"] == 0, done.stdout
    assert "1 died" in done.stdout
    answers = {
        status: int(count) for count, status in re.findall(r"(\d+) (200|429)\n", done.stdout)
    }
    assert answers["200"] >= 1
    assert answers["429"] >= 1
    assert re.search(r"rate_limit\[0\]\.rate +1/s +front/mainstay\.yaml:\d", done.stdout)
    assert "nothing was running" in ended.stdout + ended.stderr
    assert not _listens(port)
