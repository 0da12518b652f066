"""Replicas know how many they are: shares of rate limits depend on it while Valkey is away."""

from pathlib import Path

import psutil
import pytest
from tests.system.up.site import Site

pytestmark = pytest.mark.system


def told(site: Site) -> set[str]:
    """What the environments of all replicas say."""
    pids = site.pids().values()
    return {psutil.Process(pid).environ()["MAINSTAY_REPLICAS"] for pid in pids}


def test_they_are_told_at_the_start_and_in_a_file_that_follows(wrapped: Site) -> None:
    wrapped.up()
    file = wrapped.folder / ".mainstay" / "run" / "web.replicas"
    (folder,) = {
        psutil.Process(pid).environ()["MAINSTAY_RUN_DIR"] for pid in wrapped.pids().values()
    }
    assert Path(folder) == file.parent
    assert (told(wrapped), file.read_text()) == ({"3"}, "3")
    assert wrapped.run("scale", "web", "2").returncode == 0
    assert file.read_text() == "2"
    assert wrapped.run("restart", "web").returncode == 0
    assert (told(wrapped), file.read_text()) == ({"2"}, "2")
