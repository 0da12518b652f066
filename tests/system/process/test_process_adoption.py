"""Deaths of those who look after a child: of its shim, and of the daemon that launched it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from mainstay.control.engines.local.folder import SystemLock, lock_holder
from mainstay.control.processes.ends import running
from mainstay.control.processes.identity import ProcessIdentity, remains, started_s
from mainstay.control.processes.process import adopt, launch, sweep
from mainstay.control.processes.shim import family
from mainstay.control.processes.wire import from_wire

if TYPE_CHECKING:
    from tests.system.process.conftest import Place, Until

pytestmark = pytest.mark.system
linux = pytest.mark.skipif(not family.LINUX, reason="the kernel ends the child with its shim")

LAUNCHER = """
import asyncio, json, sys
from pathlib import Path
from typing import TYPE_CHECKING
from mainstay.control.engines.local.folder import SystemLock
from mainstay.control.processes.process import ShimSpec, launch
from mainstay.control.processes.wire import to_wire

async def main(folder, *argv):
    process = await launch(ShimSpec(
        name="app-1", argv=argv, cwd=folder, env=(("PATH", "/usr/bin:/bin"),),
        log_path=f"{folder}/logs/app-1.log", end_path=f"{folder}/ends/app-1.json",
    ))
    print(json.dumps(to_wire(process.identity)), flush=True)
    await asyncio.sleep(300)

with SystemLock(Path(sys.argv[1]) / "lock"):
    asyncio.run(main(*sys.argv[1:]))
"""

TALKER = "n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.02; done"


def orphan(place: "Place", *argv: str) -> ProcessIdentity:
    """Have a daemon launch a process and die by kill -9; return what it knew."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(place.folder), *argv], stdout=subprocess.PIPE
    )
    with daemon:
        assert daemon.stdout is not None
        line = daemon.stdout.readline()
        assert lock_holder(place.folder / "lock") == daemon.pid
        daemon.send_signal(signal.SIGKILL)
    return from_wire(ProcessIdentity, json.loads(line))


async def test_an_app_outlives_its_daemon_and_is_adopted(place: "Place", until: "Until") -> None:
    identity = orphan(place, "/bin/sh", "-c", TALKER)
    logged = place.text()
    # It lives, its output goes on, and it does not hold the daemon's lock.
    await until(lambda: len(place.text()) > len(logged) + 20)
    with SystemLock(place.folder / "lock"):
        process = adopt(identity)
        assert process is not None
        assert (process.pid, process.started_s) == (identity.pid, identity.started_s)
        assert process.resident_bytes() > 0
    end = await process.stop(10)
    assert (end.reason, end.signal) == ("signal", signal.SIGTERM)
    assert end.tail[-1].startswith("line ")
    assert remains(identity) == ()
    assert adopt(identity) is None


async def test_an_adopted_app_that_is_killed_is_told(place: "Place") -> None:
    identity = orphan(place, "sleep", "300")
    process = adopt(identity)
    assert process is not None
    waiting = asyncio.create_task(process.wait())
    os.kill(identity.pid, signal.SIGKILL)
    assert (await waiting).signal == signal.SIGKILL


async def test_what_a_dead_daemon_never_wrote_down_is_found(place: "Place") -> None:
    identity = orphan(place, "sleep", "300")
    (found,) = running(place.ends, logs=place.logs)
    assert found == identity
    assert await sweep(found) == ()
    assert remains(found) == ()
    assert running(place.ends, logs=place.logs) == ()


async def test_an_app_that_ended_while_no_daemon_was_there_is_not_adopted(
    place: "Place", until: "Until"
) -> None:
    identity = orphan(place, "sleep", "300")
    os.kill(identity.pid, signal.SIGKILL)
    await until(lambda: started_s(identity.shim_pid) is None)
    assert adopt(identity) is None
    assert json.loads((place.ends / "app-1.json").read_text())["signal"] == signal.SIGKILL


@linux
async def test_an_app_whose_shim_is_killed_ends_with_it(place: "Place", until: "Until") -> None:
    """SIGTERM ignored, a helper in its group: nothing lingers."""
    process = await launch(
        place.shell("trap '' TERM; sleep 300 & echo $!; while :; do sleep 0.02; done")
    )
    await until(lambda: place.text().endswith("\n"))
    os.kill(process.shim_pid, signal.SIGKILL)
    end = await process.wait()
    assert (end.reason, end.exit_code) == ("unknown", None)
    assert end.detail == "its shim was killed"
    assert started_s(process.pid) is None
    await until(lambda: started_s(int(place.text())) is None)


@linux
async def test_the_kernel_ends_the_app_of_a_killed_shim_even_without_a_daemon(
    place: "Place", until: "Until"
) -> None:
    identity = orphan(place, "/bin/sh", "-c", "trap '' TERM; sleep 300; sleep 300")
    os.kill(identity.shim_pid, signal.SIGKILL)
    await until(lambda: started_s(identity.pid) is None)
    # Its helper is what a sweep is for.
    await until(lambda: all(started_s(pid) is not None for pid in remains(identity)))
    assert await sweep(identity) == ()
    assert remains(identity) == ()


async def test_a_record_that_was_damaged_is_an_unknown_end(place: "Place") -> None:
    process = await launch(place.shell("sleep 300; exit 4"))
    # A folder in the record's place: the shim cannot write it.
    (place.ends / "app-1.json").unlink()
    (place.ends / "app-1.json").mkdir()
    process.signal(signal.SIGKILL)
    end = await process.wait()
    assert end.reason == "unknown"
    # Of our own child we still know what its shim handed on.
    assert end.exit_code == 128 + signal.SIGKILL


async def test_no_shim_is_left_as_a_zombie(place: "Place") -> None:
    process = await launch(place.spec("sleep", "300"))
    await process.stop(10)
    assert not psutil.pid_exists(process.shim_pid)
