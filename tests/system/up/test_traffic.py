"""What callers notice of a kill, a restart, a new scale, a dead daemon or proxy: nothing.

Counts, not times: every request of a constant load is answered. The figures that have times are
measured by `python -m bench.up`.
"""

import asyncio
import os
import signal
import threading
import time  # noqa: TID251  Tests of real processes take real time.
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import pytest
from tests.system.up.site import Site, eventually

from mainstay.control.load import LoadPlan, LoadReport, run_load, target

pytestmark = pytest.mark.system

RATE_PER_S = 150.0


@dataclass(kw_only=True)
class Loaded:
    report: LoadReport | None = None

    @property
    def failed(self) -> dict[str, int]:
        assert self.report is not None
        assert self.report.total.requests > RATE_PER_S / 2, "there was no load to speak of"
        return {kind: count for kind, count in self.report.total.kinds.items() if count}


@contextmanager
def load(site: Site, *, method: str = "GET") -> Iterator[Loaded]:
    """Send requests for as long as the block takes, and half a second more on either side."""
    loaded = Loaded()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    plan = LoadPlan(
        targets=(target(f"http://127.0.0.1:{site.port}/", method=method),),
        rate_per_s=RATE_PER_S,
        duration_s=120.0,
    )

    def work() -> None:
        loaded.report = loop.run_until_complete(run_load(plan, stop=stop))
        loop.close()

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    try:
        yield loaded
        time.sleep(0.5)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)


def test_a_killed_replica_costs_no_get(wrapped: Site) -> None:
    wrapped.up()
    victim = wrapped.pids()["web-2"]
    with load(wrapped) as loaded:
        os.kill(victim, signal.SIGKILL)
        eventually(
            lambda: wrapped.service()["ready"] == 3 and victim not in wrapped.pids().values()
        )
    assert loaded.failed == {}


def test_a_killed_replica_costs_at_most_the_posts_it_had_begun(wrapped: Site) -> None:
    wrapped.up()
    victim = wrapped.pids()["web-2"]
    with load(wrapped, method="POST") as loaded:
        os.kill(victim, signal.SIGKILL)
        eventually(
            lambda: wrapped.service()["ready"] == 3 and victim not in wrapped.pids().values()
        )
    # At this rate and latency a replica works on one request at a time, at times on two.
    assert sum(loaded.failed.values()) <= 3


def test_a_rolling_restart_costs_nothing_and_replaces_all(wrapped: Site) -> None:
    wrapped.up()
    before = set(wrapped.pids().values())
    with load(wrapped) as loaded:
        done = wrapped.run("restart", "web")
    assert done.returncode == 0, done.stderr
    assert loaded.failed == {}
    assert len(wrapped.pids()) == 3
    assert not before & set(wrapped.pids().values())


def test_scaling_up_and_down_costs_nothing(wrapped: Site) -> None:
    wrapped.up()
    with load(wrapped) as loaded:
        assert wrapped.run("scale", "web", "6").returncode == 0
        assert len(wrapped.pids()) == 6
        assert wrapped.run("scale", "web", "2").returncode == 0
    assert loaded.failed == {}
    assert list(wrapped.pids()) == ["web-1", "web-2"]


def test_a_killed_daemon_costs_nothing_and_the_next_one_adopts(wrapped: Site) -> None:
    before = wrapped.up()
    pids, proxy = wrapped.pids(), before["proxy"]["pid"]
    with load(wrapped) as loaded:
        os.kill(before["daemon"]["pid"], signal.SIGKILL)
        time.sleep(1.0)
        assert wrapped.run("status").returncode == 1
        after = wrapped.up()
    assert loaded.failed == {}
    assert wrapped.pids() == pids
    assert after["proxy"]["pid"] == proxy
    assert after["daemon"]["pid"] != before["daemon"]["pid"]
    os.kill(pids["web-1"], signal.SIGKILL)
    eventually(lambda: wrapped.service()["ready"] == 3 and len(wrapped.pids()) == 3)


def test_a_killed_proxy_is_back_and_serves(wrapped: Site) -> None:
    before = wrapped.up()
    os.kill(before["proxy"]["pid"], signal.SIGKILL)
    eventually(wrapped.answers, within_s=10, what="the edge is not back")
    after = wrapped.status()
    assert after["proxy"]["pid"] != before["proxy"]["pid"]
    assert after["proxy"]["restarts"] == 1


def test_slow_requests_finish_when_their_replica_is_replaced(wrapped: Site) -> None:
    wrapped.up()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(wrapped.get("/slow")[0])) for _ in range(9)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert wrapped.run("restart", "web").returncode == 0
    for thread in threads:
        thread.join(30)
    assert answers == [200] * 9


def test_down_leaves_no_process_port_or_socket(wrapped: Site) -> None:
    wrapped.up()
    assert wrapped.run("down").returncode == 0
    wrapped.assert_nothing_left()


def test_down_after_the_daemon_was_killed_leaves_nothing(wrapped: Site) -> None:
    status = wrapped.up()
    os.kill(status["daemon"]["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(status["daemon"]["pid"])], timeout=5)
    done = wrapped.run("down")
    assert done.returncode == 0, done.stderr
    wrapped.assert_nothing_left()


def test_ctrl_c_drains_the_foreground(wrapped: Site) -> None:
    running = wrapped.start("up")
    eventually(wrapped.answers, what="the system is not up")
    slow: list[int] = []
    asking = threading.Thread(target=lambda: slow.append(wrapped.get("/slow")[0]))
    asking.start()
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 0
    asking.join(10)
    assert slow == [200]
    wrapped.assert_nothing_left()


def test_an_app_that_is_not_wrapped_works_too(site: Site) -> None:
    site.declare("service: web\ncommand: python plain.py $PORT\nrun: {replicas: 2}\nedge: @PORT@\n")
    site.up()
    assert len({site.get()[1] for _ in range(50)}) == 2
    victim = next(iter(site.pids().values()))
    with load(site) as loaded:
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: site.service()["ready"] == 2 and victim not in site.pids().values())
    assert loaded.failed == {}


def test_logs_show_what_replicas_wrote(wrapped: Site) -> None:
    wrapped.up()
    wrapped.get("/remarkable")
    lines = eventually(
        lambda: [
            line
            for line in wrapped.run("logs", "web", "--json").stdout.splitlines()
            if "/remarkable" in line
        ],
        what="no access line",
    )
    assert len(lines) == 1
