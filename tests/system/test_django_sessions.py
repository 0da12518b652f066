"""Django's own login and messages, on our sessions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]


def test_djangos_own_parts_find_what_they_expect() -> None:
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("django_sessions.py")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr.decode()
    entered, looked, left, after = json.loads(ended.stdout)
    assert entered["keys"] == ["_auth_user_backend", "_auth_user_hash", "_auth_user_id"]
    assert looked == {"told": ["welcome"], "signed": True, "user": "7"}
    assert left["keys"] == []
    assert after == {"told": [], "signed": False, "user": None}
