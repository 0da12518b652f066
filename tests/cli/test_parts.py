"""The package without its extras: what needs them says so in one sentence, the rest works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.cli.main import COMMANDS
from mainstay.cli.parts import need
from mainstay.control.engines.local.folder import prepare
from mainstay.core.errors import PartMissing

BASE = """
import sys
for name in ("rich", "psutil", "httptools", "hdrh", "uvloop", "envoy", "granian", "uvicorn"):
    sys.modules[name] = None  # As if it were not installed.
from mainstay.cli.main import run
run(sys.argv[1:])
"""


def base(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BASE, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_extra(command: str, tmp_path: Path) -> None:
    done = base(tmp_path, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: mainstay {command}")


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["up"], "psutil, rich"),
        (["up", "-d"], "psutil, rich"),
        (["status"], "rich"),
        (["scale", "web", "1"], "rich"),
        (["restart", "web"], "rich"),
        (["down"], "psutil"),
        (["load", "http://127.0.0.1:1/"], "hdrh, httptools"),
    ],
)
def test_what_is_missing_is_one_sentence(tmp_path: Path, words: list[str], missing: str) -> None:
    (tmp_path / "mainstay.yaml").write_text("service: web\ncommand: ./serve\n")
    prepare(tmp_path / ".mainstay")
    done = base(tmp_path, *words)
    assert done.returncode == 1
    assert done.stderr == (
        f"mainstay: {words[0]} needs {missing}: pip install 'mainstay[platform]'\n"
    )
    assert json.loads(base(tmp_path, *words, "--json").stdout)["error"] in {
        "PartMissing",
        "NotRunning",
    }


def test_up_without_its_parts_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mainstay.yaml").write_text("service: web\ncommand: ./serve\n")
    base(tmp_path, "up", "-d")
    assert [path.name for path in tmp_path.iterdir()] == ["mainstay.yaml"]


def test_what_is_there_is_not_missed() -> None:
    need("up", "json", "click")
    with pytest.raises(PartMissing, match="up needs not_there: pip install"):
        need("up", "json", "not_there")
