"""A disk with nothing left: the edge follows its replicas nevertheless."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.system.edge.world import World, until

from mainstay.core.errors import EdgeRefused, EdgeUnavailable
from mainstay.edge import EdgeStarted
from mainstay.edge.running.files import read_text

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="only root mounts a small disk"
    ),
]

DISK_BYTES = 2 * 2**20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, so that only the test's own files are on a full disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder))
    if shutil.which("mount") is None or subprocess.run(words, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


@pytest.fixture
async def small(disk: Path, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose edge writes to the small disk; the proxy's log is elsewhere."""
    made = World(folder=disk / "edge", log=tmp_path / "edge.log")
    try:
        yield made
    finally:
        await made.close()


def fill(disk: Path) -> Path:
    """Use up all that is left, and return what does."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    assert shutil.disk_usage(disk).free == 0
    return ballast


async def test_replicas_come_and_go_on_a_full_disk(small: World, disk: Path) -> None:
    old, new = await small.backend("old"), await small.backend("new")
    more = [await small.backend(f"more{n}") for n in range(5)]
    await small.edge.start(small.resources([old]))
    fill(disk)
    await small.edge.push(small.resources([old, new, *more]))
    await small.edge.push(small.resources([new]))
    assert set(await small.names(5)) == {"new"}
    await small.edge.push(small.resources([old]))
    assert set(await small.names(5)) == {"old"}


async def test_an_envoy_that_dies_on_a_full_disk_is_back(small: World, disk: Path) -> None:
    old, new = await small.backend("old"), await small.backend("new")
    await small.edge.start(small.resources([old]))
    fill(disk)
    await small.edge.push(small.resources([new]))
    os.kill(small.spawner.spawned[0].pid, signal.SIGKILL)

    def starts() -> int:
        return sum(isinstance(event, EdgeStarted) for event in small.events)

    await until(lambda: starts() == 2, "it is started again")
    assert set(await small.names(5)) == {"new"}


async def test_what_has_no_room_is_refused_and_taken_once_there_is(
    small: World, disk: Path
) -> None:
    old, new = await small.backend("old"), await small.backend("new")
    await small.edge.start(small.resources([old]))
    ballast = fill(disk)
    every = [new] * 500
    with pytest.raises(EdgeUnavailable, match=r"cannot write .*cds\.json: No space left"):
        await small.edge.push(small.resources(every))
    assert set(await small.names(5)) == {"old"}
    ballast.unlink()
    await small.edge.push(small.resources(every))
    assert set(await small.names(5)) == {"new"}


async def test_a_refusal_on_a_full_disk_leaves_the_last_good_files(
    small: World, disk: Path
) -> None:
    """There is no space to ask Envoy's own validation for the reason; that must not matter."""
    old, new = await small.backend("old"), await small.backend("new")
    await small.edge.start(small.resources([old]))
    good = {path: read_text(path) for path in small.folder.glob("*.json")}
    fill(disk)
    wanted = small.resources([new])
    bad = replace(wanted, clusters=({**wanted.clusters[0], "no_such_field": 1},))
    with pytest.raises(EdgeRefused):
        await small.edge.push(bad)
    assert {path: read_text(path) for path in good} == good
    await small.edge.push(wanted)
    assert set(await small.names(5)) == {"new"}


async def test_a_start_on_a_full_disk_says_so(small: World, disk: Path) -> None:
    await small.backend()
    fill(disk)
    with pytest.raises(EdgeUnavailable, match="No space left"):
        await small.up()
    assert small.spawner.spawned == []
