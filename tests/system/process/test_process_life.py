"""A child from its start to its end, as the engine sees it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from mainstay.control.processes.identity import ProcessIdentity, remains, started_s
from mainstay.control.processes.process import LocalProcess, SpawnFailed, adopt, launch, sweep
from mainstay.control.processes.shim import family

if TYPE_CHECKING:
    from tests.system.process.conftest import Place, Until

pytestmark = pytest.mark.system
linux = pytest.mark.skipif(not family.LINUX, reason="needs the subreaper or /proc of Linux")


def gone(pid: int) -> bool:
    return started_s(pid) is None


async def test_the_pid_is_the_apps_own_and_its_end_is_told(place: "Place", until: "Until") -> None:
    process = await launch(place.shell("echo $$; echo why >&2; exit 3"))
    end = await process.wait()
    assert end.tail == (str(process.pid), "why")
    assert (end.reason, end.exit_code, end.signal, end.pid) == ("exited", 3, None, process.pid)
    assert process.end == end
    assert gone(process.shim_pid)
    assert place.text() == f"{process.pid}\nwhy\n"


async def test_an_app_that_is_killed_is_told_at_once(place: "Place") -> None:
    process = await launch(place.spec("sleep", "300"))
    os.kill(process.pid, signal.SIGKILL)
    await process.exited()
    end = await process.wait()
    assert (end.reason, end.exit_code, end.signal) == ("signal", None, signal.SIGKILL)


async def test_a_stop_lets_the_app_finish(place: "Place", until: "Until") -> None:
    process = await launch(
        place.shell("trap 'echo draining; exit 0' TERM; echo up; while :; do sleep 0.02; done")
    )
    await until(lambda: "up" in place.text())
    end = await process.stop(30)
    assert (end.exit_code, end.tail) == (0, ("up", "draining"))


async def test_an_app_that_ignores_sigterm_is_killed_with_its_group(
    place: "Place", until: "Until"
) -> None:
    process = await launch(
        place.shell("trap '' TERM; sleep 300 & echo $!; while :; do sleep 0.02; done")
    )
    await until(lambda: place.text().endswith("\n"))
    end = await process.stop(0.1)
    # Nobody was left for the shim to end.
    assert (end.reason, end.signal) == ("signal", signal.SIGKILL)
    assert gone(int(place.text()))


async def test_sigterm_to_the_shim_reaches_the_app_and_nobody_else(
    place: "Place", until: "Until"
) -> None:
    process = await launch(
        place.shell(
            "(trap 'echo helper heard it' TERM; echo $$; while :; do sleep 0.02; done) &"
            " trap 'echo app heard it; exit 5' TERM; echo up; while :; do sleep 0.02; done"
        )
    )
    await until(lambda: len(place.text().splitlines()) == 2)
    os.kill(process.shim_pid, signal.SIGTERM)
    await process.exited()
    await until(lambda: "app heard it" in place.text())
    end = await process.wait()
    assert end.exit_code == 5
    # The helper hears of it only as one who was left behind, after the app has ended.
    lines = place.text().splitlines()
    assert "helper heard it" not in lines[: lines.index("app heard it")]
    assert end.reason == "left_behind"


async def test_an_app_that_forks_and_leaves_is_found_out(place: "Place") -> None:
    process = await launch(place.shell("sleep 300 & echo $!; exit 0"))
    end = await process.wait()
    assert (end.reason, end.exit_code) == ("left_behind", 0)
    assert gone(int(place.text()))


DAEMON = """
import os, signal, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        os.write(int(sys.argv[1]), b".")
        signal.pause()
    os._exit(0)
"""


@linux
async def test_a_daemon_that_left_its_session_and_ignores_sigterm_is_ended(place: "Place") -> None:
    # The parent ends once the daemon has said its pid.
    code = "import os, sys\nr, w = os.pipe()\nsys.argv = ['', w]\n" + DAEMON + "\nos.read(r, 1)"
    process = await launch(place.python(code))
    end = await process.wait()
    assert end.reason == "left_behind"
    assert gone(int(place.text()))


async def test_one_who_ends_because_the_app_did_was_not_left_behind(place: "Place") -> None:
    process = await launch(place.python(
        "import os\nr, w = os.pipe()\n"
        "if os.fork() == 0:\n    os.close(w)\n    os.read(r, 1)\n    os._exit(0)\n"
    ))  # fmt: skip
    end = await process.wait()
    assert (end.reason, end.exit_code) == ("exited", 0)


GROW = "import time\nhoard = bytearray(200 * 2**20)\nprint('grown', flush=True)\ntime.sleep(300)"


async def test_an_app_above_its_memory_is_killed_and_told(place: "Place") -> None:
    process = await launch(place.python(GROW, memory_max_bytes=64 * 2**20))
    end = await process.wait()
    assert (end.reason, end.signal) == ("memory", signal.SIGKILL)
    assert end.memory_bytes is not None
    assert end.memory_bytes > 64 * 2**20
    assert "for its memory" in end.sentence


@linux
async def test_the_memory_of_those_below_counts_wherever_they_went(place: "Place") -> None:
    code = (
        f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    exec({GROW!r})\ntime.sleep(300)"
    )
    process = await launch(place.python(code, memory_max_bytes=64 * 2**20))
    end = await process.wait()
    assert end.reason == "memory"
    assert remains(process.identity) == ()


async def test_an_app_within_its_memory_is_left_alone(place: "Place", until: "Until") -> None:
    process = await launch(place.python(GROW, memory_max_bytes=2**30))
    await until(lambda: "grown" in place.text())
    await until(lambda: process.resident_bytes() > 200 * 2**20)
    assert process.cpu_s() > 0
    assert process.end is None
    assert (await process.stop(10)).signal == signal.SIGTERM
    assert process.resident_bytes() == 0
    assert process.cpu_s() == 0


@pytest.mark.parametrize(
    ("argv", "cwd", "why"),
    [
        (("no-such-program",), "/", "the program no-such-program: not found"),
        (("/dev/null",), "/", "the program /dev/null: Permission denied"),
        (("sh",), "/no/such/folder", "its working folder /no/such/folder: No such file"),
        (("sh", "a\0b"), "/", "NUL"),
        ((), "/", "no program"),
    ],
)
async def test_what_cannot_start_says_why(
    place: "Place", argv: tuple[str, ...], cwd: str, why: str
) -> None:
    spec = place.spec(*argv, cwd=Path(cwd), env={"TOKEN": "hidden-value"})
    with pytest.raises(SpawnFailed) as caught:
        await launch(spec)
    assert str(caught.value).startswith("app-1 cannot start: ")
    assert why in str(caught.value)
    assert "hidden-value" not in str(caught.value) + repr(spec)


async def test_a_program_that_is_none_says_why_and_leaves_a_record(place: "Place") -> None:
    script = place.folder / "script"
    script.write_bytes(b"\x00\x01 no program")
    script.chmod(0o755)
    with pytest.raises(SpawnFailed, match="not a program that this system can run"):
        await launch(place.spec(str(script)))
    record = json.loads((place.ends / "app-1.json").read_text())
    assert record["reason"] == "spawn_failed"
    assert "not a program" in record["detail"]


async def test_secrets_are_in_the_apps_environment_and_nowhere_else(
    place: "Place", until: "Until"
) -> None:
    secret = "s3cret-" + "x" * 100_000  # Longer than a pipe or a socket takes at once.
    process = await launch(place.shell("echo ${#TOKEN}; exec sleep 300", env={"TOKEN": secret}))
    await until(lambda: place.text() != "")
    assert place.text() == f"{len(secret)}\n"
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        assert b"s3cret" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    shim = psutil.Process(process.shim_pid)
    assert "s3cret" not in " ".join(shim.cmdline()) + str(shim.environ())
    assert shim.cmdline()[-1] == "app-1"
    await process.stop(10)


async def test_texts_arrive_as_they_were(place: "Place") -> None:
    odd = "Grüße \udcff \n \"'$(x)"
    code = "import os, sys\nos.write(1, os.fsencode(sys.argv[1] + os.environ['ODD']))"
    process = await launch(place.spec(sys.executable, "-S", "-c", code, odd, env={"ODD": odd}))
    await process.wait()
    assert place.log().read_bytes() == os.fsencode(odd + odd)


async def test_the_app_gets_a_clean_start(place: "Place") -> None:
    """Its input is empty, it has no descriptor but three, no signal is ignored or blocked."""
    code = (
        "import os, signal\n"
        "print(os.read(0, 1), sorted(map(int, os.listdir('/dev/fd'))))\n"
        "print(os.getpgrp() - os.getpid(), os.getsid(0) - os.getppid())\n"
        "print([n for n in (1, 3, 10, 12, 15, 17) if signal.getsignal(n) != signal.SIG_DFL])\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003  Its signature.
    try:
        process = await launch(place.python(code))
        end = await process.wait()
    finally:
        os.close(reading)
        os.close(writing)
    # The fourth descriptor is the folder that is being listed.
    assert end.tail == ("b'' [0, 1, 2, 3]", "0 0", "[]", "set()")
    process = await launch(place.shell("kill -PIPE $$; echo survived"))
    assert (await process.wait()).signal == signal.SIGPIPE


async def test_a_launch_that_is_cancelled_leaves_nothing(place: "Place", until: "Until") -> None:
    before = set(psutil.Process().children(recursive=True))
    for turns in range(8):
        launching = asyncio.create_task(launch(place.spec("sleep", "300")))
        for _ in range(turns):
            await asyncio.sleep(0)
        launching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launching
    await until(lambda: set(psutil.Process().children(recursive=True)) <= before)


async def test_a_pid_that_was_used_again_is_never_signalled(place: "Place") -> None:
    bystander = await launch(place.spec("sleep", "300", name="bystander-1"))
    forged = ProcessIdentity(
        name="app-1",
        pid=bystander.pid,
        started_s=bystander.started_s - 10,
        shim_pid=bystander.shim_pid,
        shim_started_s=bystander.identity.shim_started_s - 10,
        log_path=str(place.log()),
        end_path=str(place.ends / "app-1.json"),
    )
    assert adopt(forged) is None
    assert remains(forged) == ()
    assert await sweep(forged) == ()
    process = LocalProcess(forged)
    assert not process.signal(signal.SIGKILL)
    assert (await process.stop(1)).reason == "unknown"
    assert (process.resident_bytes(), process.cpu_s()) == (0, 0)
    assert not gone(bystander.pid)
    assert not gone(bystander.shim_pid)
    assert (await bystander.stop(10)).signal == signal.SIGTERM


async def test_many_at_once_come_and_go(place: "Place") -> None:
    processes = await asyncio.gather(
        *(launch(place.spec("sleep", "300", name=f"app-{number}")) for number in range(8))
    )
    assert len({process.pid for process in processes}) == 8
    ends = await asyncio.gather(*(process.stop(20) for process in processes))
    assert {end.signal for end in ends} == {signal.SIGTERM}
    assert all(remains(process.identity) == () for process in processes)


async def test_waiting_is_for_as_many_as_want_and_cancelling_one_hurts_nobody(
    place: "Place",
) -> None:
    process = await launch(place.spec("sleep", "300"))
    waiters = [asyncio.create_task(process.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    end = await process.stop(10)
    assert await waiters[1] == await waiters[2] == end
