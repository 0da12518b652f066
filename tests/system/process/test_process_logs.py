"""The output of a child: bounded, whole, and never the child's trouble."""

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mainstay.control.processes.logfiles import last_bytes, log_files
from mainstay.control.processes.process import launch
from mainstay.control.processes.shim import family
from mainstay.control.processes.shim.owner import REST_S

if TYPE_CHECKING:
    from tests.system.process.conftest import Place, Until

pytestmark = pytest.mark.system
linux = pytest.mark.skipif(not family.LINUX, reason="limits of another process, as on Linux")
KIB = 1024

LINES = """
import os, time
began = time.monotonic()
for number in range(3000):
    os.write(1, b"%d\\n" % number)
    time.sleep(0.0002)
os.write(1, b"%f seconds\\n" % (time.monotonic() - began))
time.sleep(300)
"""


async def test_a_log_is_rotated_within_its_bound(place: "Place") -> None:
    process = await launch(
        place.python(
            "for n in range(20000): print(f'line {n:06d} ' + 'x' * 30)", log_bytes_max=64 * KIB
        )
    )
    end = await process.wait()
    files = log_files(place.log())
    assert [path.name for path in files] == [
        "app-1.log.3",
        "app-1.log.2",
        "app-1.log.1",
        "app-1.log",
    ]
    assert all(path.stat().st_size <= 64 * KIB for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    lines = "".join(path.read_text() for path in files).splitlines()
    first = int(lines[0].split()[1])
    assert [int(line.split()[1]) for line in lines] == list(range(first, 20000))
    assert end.dropped_log_bytes == 0
    assert len(list(place.logs.iterdir())) == 4


async def test_a_megabyte_without_a_newline_is_kept(place: "Place") -> None:
    process = await launch(place.python("print('a' * 2**20 + 'end')", log_bytes_max=400 * KIB))
    end = await process.wait()
    kept = b"".join(path.read_bytes() for path in log_files(place.log()))
    assert len(kept) == 2**20 + 4
    assert kept.endswith(b"aaend\n")
    assert end.tail == ("a" * 400,)


async def test_binary_output_is_kept_to_the_byte(place: "Place") -> None:
    process = await launch(place.python("import os\nos.write(1, bytes(range(256)) * 100)"))
    end = await process.wait()
    assert place.log().read_bytes() == bytes(range(256)) * 100
    assert end.reason == "exited"


async def test_the_shim_stays_small_however_fast_the_app_writes(
    place: "Place", until: "Until"
) -> None:
    process = await launch(place.shell("head -c 100000000 /dev/zero; echo done; exec sleep 300"))
    before = psutil.Process(process.shim_pid).memory_info().rss
    await until(lambda: last_bytes(place.log(), bytes_max=5) == b"done\n")
    grown = psutil.Process(process.shim_pid).memory_info().rss - before
    assert grown < 4 * 2**20
    await process.stop(10)


@linux
async def test_an_app_that_says_a_line_at_a_time_does_not_wake_the_shim_for_each(
    place: "Place", until: "Until"
) -> None:
    process = await launch(place.python(LINES))
    await until(lambda: place.text().endswith(" seconds\n"))
    text = place.text().splitlines()
    assert text[:-1] == [str(number) for number in range(3000)]
    rests = float(text[-1].split()[0]) / REST_S
    woken = psutil.Process(process.shim_pid).num_ctx_switches().voluntary
    # It waits for a line, and then once more for others.
    assert woken < 3 * rests + 100
    await process.stop(10)


@linux
async def test_a_full_disk_never_reaches_the_app_and_is_told_later(
    place: "Place", until: "Until"
) -> None:
    written = place.folder / "written"
    process = await launch(
        place.shell(
            "trap : USR1; echo up; sleep 300 & wait $!;"
            f" head -c 100000 /dev/zero; : > {written};"
            " while :; do echo on and on; sleep 0.02; done"
        )
    )
    await until(lambda: "up" in place.text())
    shim = psutil.Process(process.shim_pid)
    # The shim's disk gets full: no file may grow above 20 KB.
    shim.rlimit(psutil.RLIMIT_FSIZE, (20_000, psutil.RLIM_INFINITY))
    read = shim.io_counters().read_chars
    process.signal(signal.SIGUSR1)
    await until(written.exists)
    # What the child wrote may wait in the pipe: the disk stays full until the shim has read it all.
    await until(lambda: shim.io_counters().read_chars >= read + 100_000)
    await until(lambda: place.log().stat().st_size == 20_000)
    shim.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    await until(lambda: "on and on" in place.text())
    assert "bytes of this log were dropped: File too large\n" in place.text()
    end = await process.stop(10)
    assert end.signal == signal.SIGTERM
    assert end.dropped_log_bytes >= 80_000


def open_files(pid: int) -> list[str]:
    return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]


@linux
async def test_a_log_folder_that_is_deleted_stops_nobody(place: "Place", until: "Until") -> None:
    process = await launch(
        place.shell("n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.02; done")
    )
    await until(lambda: "line 1\n" in place.text())
    shutil.rmtree(place.logs)
    await until(lambda: not any("app-1.log" in file for file in open_files(process.shim_pid)))
    # Closing the last descriptor of a deleted file takes its time. What the shim reads after this
    # moment shows that it has come back from there, and found no folder.
    shim = psutil.Process(process.shim_pid)
    read = shim.io_counters().read_chars
    await until(lambda: shim.io_counters().read_chars > read + 100)
    assert process.end is None
    place.logs.mkdir()
    await until(lambda: "of this log were dropped" in place.text())
    await until(lambda: "line " in place.text())
    end = await process.stop(10)
    assert end.dropped_log_bytes > 0


async def test_an_app_that_closes_its_output_lives_on_and_costs_nothing(
    place: "Place", until: "Until"
) -> None:
    ready = place.folder / "ready"
    process = await launch(place.shell(f"exec >&- 2>&-; sleep 1; : > {ready}; exec sleep 300"))
    await until(ready.exists)
    times = psutil.Process(process.shim_pid).cpu_times()
    assert times.user + times.system < 0.5
    assert (await process.stop(10)).signal == signal.SIGTERM
