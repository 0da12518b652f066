"""Systems that have no /proc, no subreaper and no descriptors of processes, such as macOS."""

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mainstay.control.processes import process as process_module
from mainstay.control.processes.identity import started_s
from mainstay.control.processes.process import adopt, launch
from mainstay.control.processes.shim import family

if TYPE_CHECKING:
    from tests.system.process.conftest import Place, Until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("ps") is None, reason="ps stands in for /proc"),
]

# The shim as it starts, with what only Linux has taken away.
PLAIN_SHIM = """
import sys
PACKAGE = "mainstay.control.processes.shim"
parts = PACKAGE.split(".")
for depth in range(1, len(parts) + 1):
    module = type(sys)(".".join(parts[:depth]))
    module.__path__ = [{folder!r}] if depth == len(parts) else []
    sys.modules[module.__name__] = module
from mainstay.control.processes.shim import family, owner
family.has_proc = lambda: False
family.prctl = lambda option, value: False
sys.exit(owner.main())
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path_factory.mktemp("shim") / "shim.py"
    shim.write_text(PLAIN_SHIM.format(folder=str(Path(family.__file__).parent)))
    monkeypatch.setattr(process_module, "_SHIM", str(shim))
    monkeypatch.delattr(os, "pidfd_open", raising=False)


async def test_an_app_is_watched_signalled_and_adopted(place: "Place") -> None:
    process = await launch(place.spec("sleep", "300"))
    adopted = adopt(process.identity)
    assert adopted is not None
    assert adopted.signal(signal.SIGTERM)
    end = await process.wait()
    assert (end.reason, end.signal) == ("signal", signal.SIGTERM)
    assert await adopted.wait() == end
    assert not process.signal(signal.SIGTERM)


async def test_who_is_left_behind_in_the_group_is_ended(place: "Place") -> None:
    process = await launch(place.shell("sleep 300 & echo $!; exit 0"))
    end = await process.wait()
    assert end.reason == "left_behind"
    assert started_s(int(place.text())) is None


async def test_the_memory_of_the_tree_is_bounded(place: "Place") -> None:
    code = "hoard = bytearray(200 * 2**20); import time; time.sleep(300)"
    process = await launch(place.python(code, memory_max_bytes=64 * 2**20))
    assert (await process.wait()).reason == "memory"


async def test_the_app_of_a_killed_shim_is_ended_by_the_daemon(
    place: "Place", until: "Until"
) -> None:
    process = await launch(place.shell("trap '' TERM; echo up; while :; do sleep 0.02; done"))
    await until(lambda: "up" in place.text())
    os.kill(process.shim_pid, signal.SIGKILL)
    assert (await process.wait()).reason == "unknown"
    assert started_s(process.pid) is None
