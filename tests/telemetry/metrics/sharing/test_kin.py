import os
import subprocess
import sys
from pathlib import Path

import pytest

from mainstay.telemetry.metrics.sharing.kin import Kin, find_kin, folder_of, is_running, read_stat

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")

STAT = "{pid} (a) b (c)) S {parent} 1 1 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0\n"
PROGRAM = """
import multiprocessing, os
from mainstay.telemetry.metrics.sharing.kin import find_kin

def tell(out):
    kin = find_kin()
    out.put((kin.is_worker, kin.head, kin.started))

if __name__ == "__main__":
    own = find_kin()
    for way in ("fork", "spawn"):
        context = multiprocessing.get_context(way)
        out = context.SimpleQueue()
        child = context.Process(target=tell, args=(out,))
        child.start()
        print(way, out.get() == (True, os.getpid(), own.started))
        child.join()
"""
FORKED = 0x400040
EXECUTED = 0x400000


def process(
    proc: Path, name: str, parent: int, *, forked: bool, program: str, started: int
) -> None:
    (proc / name).mkdir()
    flags = FORKED if forked else EXECUTED
    text = STAT.format(pid=name, parent=parent, flags=flags, started=started)
    (proc / name / "stat").write_text(text, "utf-8")
    (proc / name / "exe").symlink_to(program)


@pytest.mark.parametrize("parent", [700, 1])
def test_what_was_forked_and_runs_its_parents_program_is_a_worker(
    tmp_path: Path, parent: int
) -> None:
    """A server may well be pid 1, in a container."""
    process(tmp_path, "self", parent, forked=True, program="/bin/python", started=9)
    process(tmp_path, str(parent), 0, forked=False, program="/bin/python", started=5)
    assert find_kin(tmp_path) == Kin(head=parent, started="5", is_worker=True)


def test_what_a_shell_or_a_supervisor_started_is_alone(tmp_path: Path) -> None:
    process(tmp_path, "self", 700, forked=False, program="/bin/python", started=9)
    process(tmp_path, "700", 1, forked=False, program="/bin/python", started=5)
    assert find_kin(tmp_path) == Kin(head=os.getpid(), started="9", is_worker=False)


def test_what_went_to_the_background_under_init_is_alone(tmp_path: Path) -> None:
    process(tmp_path, "self", 1, forked=True, program="/bin/python", started=9)
    process(tmp_path, "1", 0, forked=False, program="/sbin/init", started=0)
    assert find_kin(tmp_path) == Kin(head=os.getpid(), started="9", is_worker=False)


def test_without_proc_a_process_is_alone(tmp_path: Path) -> None:
    assert find_kin(tmp_path) == Kin(head=os.getpid(), started="0", is_worker=False)


@pytest.mark.parametrize("text", ["", "1 (x) S", "1 (x) " + "y " * 30, ")"])
def test_a_strange_stat_says_nothing(text: str) -> None:
    assert read_stat(text) is None


@needs_proc
def test_this_process_was_executed() -> None:
    found = subprocess.run(
        [sys.executable, "-c",
         "from mainstay.telemetry.metrics.sharing import kin; print(kin.find_kin().is_worker)"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert found.stdout == "False\n"


@needs_proc
def test_a_forked_child_and_a_spawned_one_are_workers_of_this_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    found = subprocess.run(
        [sys.executable, str(program)], check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout == "fork True\nspawn True\n"


def test_the_folder_is_that_of_the_service_below_the_one_that_was_named() -> None:
    kin = Kin(head=7, started="9", is_worker=True)
    assert folder_of("shop", kin, {"MAINSTAY_METRICS_DIR": "/run/shop"}) == Path("/run/shop/shop")
    assert folder_of("shop", kin, {}).name == "shop-7-9"
    assert folder_of("shop", kin, {}).parent.name == f"mainstay-metrics-{os.geteuid()}"


@needs_proc
def test_a_pid_that_is_used_again_is_another_process() -> None:
    kin = find_kin()
    stat = read_stat(Path(f"/proc/{os.getpid()}/stat").read_text("utf-8"))
    assert stat is not None
    assert is_running(os.getpid(), stat.started)
    assert is_running(os.getpid(), "0")
    assert not is_running(os.getpid(), str(int(stat.started) + 1))
    assert not is_running(2**22 + 1, "0")
    assert kin.started != ""


def test_without_proc_a_pid_is_asked_for(tmp_path: Path) -> None:
    assert is_running(os.getpid(), "5", tmp_path)
    assert not is_running(2**22 + 1, "5", tmp_path)
