"""Metrics of several real processes: right sums, also when some of them are killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.system.served import GENEROUS_S, Client, until

from mainstay.telemetry.metrics.sharing.folder import is_deserted

HERE = Path(__file__).parent
WORKERS = 4

pytestmark = pytest.mark.system


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_multiprocessing_are_counted_however_they_begin(
    tmp_path: Path, method: str
) -> None:
    """Law: what they counted is in their parent's sum when they have ended, and not only later."""
    done = subprocess.run(
        [sys.executable, str(HERE / "metrics_children.py"), method, "2"],
        check=True, capture_output=True, text=True, timeout=GENEROUS_S,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    told = [line.partition(" ")[2] for line in done.stdout.splitlines()]
    assert told == ["1.0", "41.0", "42.0"], done.stderr


class Server:
    """A server with several workers, which is asked over connections of their own."""

    def __init__(self, folder: Path, words: Callable[[int], list[str]], **environ: str) -> None:
        self.client = Client(free_port())
        self.metrics_root = folder / f"mainstay-metrics-{os.geteuid()}"
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            words(self.client.port), cwd=HERE, stdout=self.log, stderr=self.log,
            env={**os.environ, "TMPDIR": str(folder), **environ},
        )  # fmt: skip
        self.ordered = 0
        self.lowest = 0.0

    def order(self, count: int) -> Counter[int]:
        """Place so many orders; return how many each worker took."""
        by = Counter(int(self.client.ask("/order")[2]) for _ in range(count))
        self.ordered += count
        return by

    def told(self, name: str) -> float:
        """Return a figure as one of the workers tells it. Sums must never go back."""
        status, _, body = self.client.ask("/metrics")
        assert status == 200, body
        lines = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if line[0] != "#")
        assert float(lines["orders_total"]) >= self.lowest
        assert float(lines["orders_total"]) == float(lines["size_count"])
        self.lowest = float(lines["orders_total"])
        return float(lines[name])

    def wait_until_all_is_told(self) -> None:
        until(self._says_all, "all told")

    def _says_all(self) -> bool:
        try:
            # Each worker may be the one that is asked, and all of them say the same.
            return all(self.told("orders_total") == self.ordered for _ in range(8))
        except (OSError, HTTPException):
            # One that ends may take a connection along.
            return False

    def files(self) -> list[Path]:
        return list(self.metrics_root.rglob("*.counts"))

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(GENEROUS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(GENEROUS_S)
        self.log.close()


def uvicorn(port: int) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", "metrics_app:app", "--port", str(port),
        "--workers", str(WORKERS), "--log-level", "warning",
    ]  # fmt: skip


def prefork(port: int) -> list[str]:
    return [sys.executable, str(HERE / "metrics_prefork.py"), str(port), str(WORKERS)]


@contextmanager
def served(folder: Path, words: Callable[[int], list[str]]) -> Iterator[Server]:
    made = Server(folder, words)
    try:
        until(lambda: made.client.answers("/metrics", 200), "serving")
        yield made
    finally:
        made.stop()


@pytest.fixture(params=[uvicorn, prefork], ids=["spawned", "forked"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with served(tmp_path, request.param) as made:
        until(lambda: made.told("workers") == WORKERS, "all workers are there")
        yield made


def test_killed_workers_take_nothing_with_them_that_was_told(server: Server) -> None:
    """Law: sums are exact, never go back, and files don't grow in number."""
    for _ in range(3):
        by = server.order(40)
        server.wait_until_all_is_told()
        (victim, took), *_ = by.most_common(1)
        assert took > 0
        os.kill(victim, signal.SIGKILL)
        # Whoever is asked first adds up the dead; the others find it done.
        for _ in range(5):
            assert server.told("orders_total") == server.ordered
        until(lambda: server.told("workers") == WORKERS, "the worker was replaced")
        assert server.told("orders_total") == server.ordered
    assert len(server.files()) <= WORKERS + 1


def test_workers_that_end_in_order_leave_everything(server: Server) -> None:
    by = server.order(40)
    for worker in by:
        os.kill(worker, signal.SIGTERM)
    until(lambda: server.client.answers("/metrics", 200), "somebody serves again")
    server.wait_until_all_is_told()


def test_the_folder_is_private_and_goes_with_the_next_start(tmp_path: Path) -> None:
    with served(tmp_path, prefork) as first:
        (folder,) = first.metrics_root.iterdir()
        for one in (folder, first.metrics_root):
            assert one.stat().st_mode & 0o777 == 0o700
    until(lambda: is_deserted(folder), "the workers have ended")
    with served(tmp_path, uvicorn) as second:
        until(lambda: folder not in list(second.metrics_root.iterdir()), "it is gone")


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_children_that_do_a_job_add_what_they_counted(tmp_path: Path, way: str) -> None:
    """One that asks for a folder shares with all of its children; a forking one without asking."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    if way == "spawn":
        environ["MAINSTAY_METRICS_DIR"] = str(tmp_path / "shared")
    done = subprocess.run(
        [sys.executable, str(program), way], check=True, capture_output=True, text=True,
        timeout=GENEROUS_S, env=environ,
    )  # fmt: skip
    assert done.stdout == "orders_total 113.0\n"
    assert done.stderr == ""


PROGRAM = """
import multiprocessing, os, sys
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics

metrics = ServiceMetrics(Declaration(service="job", app="a:b"), Metrics(), environ=os.environ)
orders = metrics.registry.counter("orders", "x")

def job(count):
    orders.inc(count)

if __name__ == "__main__":
    orders.inc(3)
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=job, args=(n,)) for n in (10, 100)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    told = metrics.endpoint.answer().body.decode().splitlines()
    print(*(line for line in told if line.startswith("orders_total")), sep="\\n")
"""
