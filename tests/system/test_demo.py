"""The demo tells its story to the end, also where there is little load and no terminal."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FIELDS = {
    "requests",
    "failed",
    "p50_ms",
    "p99_ms",
    "killed",
    "replaced_s",
    "restarted",
    "restart_failed",
}


def test_the_demo_kills_restarts_and_loses_nothing(tmp_path: Path) -> None:
    # On a port of its own: the developer's shop may run on the declared one.
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns(".mainstay"))
    storefront = tmp_path / "examples/shop/storefront/mainstay.yaml"
    storefront.write_text(storefront.read_text().replace("port: 8080", "port: 18089"))
    demo = tmp_path / "examples/demo.py"
    demo.write_text(demo.read_text().replace("127.0.0.1:8080", "127.0.0.1:18089"))
    done = subprocess.run(
        [sys.executable, str(demo), "--rate", "30", "--seconds", "15"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / ".mainstay/demo.json").read_text())
    assert set(figures) >= FIELDS
    assert figures["requests"] == 450
    assert figures["failed"] == figures["restart_failed"] == 0
    assert figures["killed"].startswith("catalog-")
    assert figures["restarted"] == 3
