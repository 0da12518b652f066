"""Bad input and faults that `mainstay up` must survive, each from the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.system.up.site import Site, eventually

from mainstay.cli import up
from mainstay.cli.place import state_of
from mainstay.cli.telling import quiet
from mainstay.control.engines.local.folder import prepare
from mainstay.core.errors import EngineRefused

pytestmark = pytest.mark.system

LOOP = "restart: {crashes: 2, backoff: 10ms..100ms}"


def test_an_app_that_does_not_import_is_named_with_its_last_words(site: Site) -> None:
    (site.folder / "broken.py").write_text("import does_not_exist\n")
    site.declare(f"service: web\napp: broken:app\nrun: {{replicas: 1, {LOOP}}}\nedge: @PORT@\n")
    done = site.run("up", "-d")
    assert done.returncode == 1
    assert "web does not start" in done.stderr
    assert "No module named 'does_not_exist'" in done.stderr
    assert "Traceback" not in done.stderr.split("does not start")[0]
    assert site.service()["state"] == "crash_loop"
    assert site.run("down").returncode == 0
    site.assert_nothing_left()


def test_an_app_that_exits_at_once_is_a_crash_loop(site: Site) -> None:
    site.declare(
        f"service: web\ncommand: python -c 'raise SystemExit(7)'\n"
        f"run: {{replicas: 1, {LOOP}}}\nedge: @PORT@\n"
    )
    done = site.run("up", "-d", "--json")
    assert done.returncode == 1
    assert "exited with code 7" in json.loads(done.stdout)["message"]


def test_an_app_that_never_gets_ready_is_ended_at_its_bound(site: Site) -> None:
    site.declare(
        f"service: web\ncommand: python -c 'import time; time.sleep(999)'\n"
        f"run: {{replicas: 1, start_timeout: 300ms, {LOOP}}}\nedge: @PORT@\n"
    )
    done = site.run("up", "-d")
    assert done.returncode == 1
    assert "web does not start" in done.stderr
    assert site.run("down").returncode == 0
    site.assert_nothing_left()


def test_an_app_that_forks_and_leaves_is_found_out(site: Site) -> None:
    site.declare(
        "service: web\n"
        "command: [python, -c, 'import os, time; os.fork() or time.sleep(999)']\n"
        f"run: {{replicas: 1, {LOOP}}}\nedge: @PORT@\n"
    )
    done = site.run("up", "-d")
    assert done.returncode == 1
    assert "left processes behind" in done.stderr
    assert site.run("down").returncode == 0
    site.assert_nothing_left()


def test_a_port_in_use_names_its_holder_and_starts_nothing(site: Site) -> None:
    site.declare("service: web\ncommand: python plain.py $PORT\nedge: @PORT@\n")
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        done = site.run("up", "-d")
        assert done.returncode == 1
        assert f"web: port {site.port} is held by process {os.getpid()}" in done.stderr
        assert not site.processes()


LEAVES = """
import socket, sys, time
from pathlib import Path
from mainstay.cli.place import control_socket, state_of
from mainstay.control.engines.local.folder import SystemLock
from mainstay.core.sockets import make_room

state = state_of(Path(sys.argv[1]))
with SystemLock(state / "lock"), socket.socket(socket.AF_UNIX) as server:
    make_room(control_socket(state))
    server.bind(str(control_socket(state)))
    server.listen()
    server.accept()
    server.accept()[0].close()
    time.sleep(0.5)
    sys.exit("mainstay: the disk is full")
"""


def prepared(site: Site, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have a program started in the place of the daemon of a site."""
    state = state_of(site.folder)
    prepare(state)

    def start(root: Path, _env: str | None) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", program, str(root)]
        with (state / "daemon.err").open("wb") as errors:
            return subprocess.Popen(words, stderr=errors)

    monkeypatch.setattr(up, "start_daemon", start)


def test_a_daemon_that_goes_away_has_the_last_word(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket is closed a moment before it has ended."""
    prepared(site, monkeypatch, LEAVES)
    with pytest.raises(EngineRefused, match=r"^the disk is full$"):
        up.in_background(site.folder, None, quiet)


def test_a_daemon_that_ended_before_it_was_asked_has_the_last_word(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(site, monkeypatch, "import sys; sys.exit('mainstay: the disk is full')")

    def answered(_socket: Path, daemon: subprocess.Popen[bytes], _state: Path) -> bool:
        return daemon.wait(60) == 1

    monkeypatch.setattr(up, "until_it_answers", answered)
    with pytest.raises(EngineRefused, match=r"^the disk is full$"):
        up.in_background(site.folder, None, quiet)


def test_a_replica_that_fails_every_request_is_ejected(wrapped: Site) -> None:
    wrapped.up()
    (wrapped.folder / "fail-web-2").touch()
    # Five failures in a row eject it; after that nobody sees it for ten seconds.
    eventually(
        lambda: [wrapped.get()[0] for _ in range(40)] == [200] * 40,
        what="the failing replica still gets traffic",
    )
    states = {one["name"]: one["state"] for one in wrapped.service()["replicas"]}
    assert states == {"web-1": "ready", "web-2": "ejected", "web-3": "ready"}


def test_a_replica_that_hangs_is_taken_out_and_replaced(wrapped: Site) -> None:
    wrapped.up()
    before = wrapped.pids()
    os.kill(before["web-2"], signal.SIGSTOP)
    replaced = eventually(
        lambda: (
            (pids := wrapped.pids())
            and len(pids) == 3
            and before["web-2"] not in pids.values()
            and pids
        ),
        what="the hung replica is not replaced",
    )
    assert {before["web-1"], before["web-3"]} < set(replaced.values())
    assert not psutil.pid_exists(before["web-2"])
    assert all(wrapped.get()[0] == 200 for _ in range(30))


def never_ready(site: Site) -> Site:
    """Let the app never finish its start, so that what follows comes while the system starts."""
    (site.folder / "wrapped.py").write_text("import time\ntime.sleep(999)\n")
    return site


def test_sigterm_while_starting_leaves_nothing(wrapped: Site) -> None:
    starting = never_ready(wrapped).start("up")
    eventually(lambda: len(wrapped.processes()) >= 3, what="nothing starts")
    starting.send_signal(signal.SIGTERM)
    starting.communicate(timeout=30)
    assert starting.returncode == 0
    wrapped.assert_nothing_left()


def test_down_while_starting_leaves_nothing(wrapped: Site) -> None:
    starting = never_ready(wrapped).start("up", "-d")
    eventually(lambda: len(wrapped.processes()) >= 4, what="nothing starts")
    assert wrapped.run("down").returncode == 0
    starting.communicate(timeout=30)
    assert starting.returncode == 1
    wrapped.assert_nothing_left()


def test_two_ups_at_once_make_one_system(wrapped: Site) -> None:
    both = [wrapped.start("up", "-d", "--json") for _ in range(2)]
    answers = [json.loads(one.communicate(timeout=60)[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert answers[0]["daemon"]["pid"] == answers[1]["daemon"]["pid"]
    assert len(wrapped.service()["replicas"]) == 3
    # One daemon, one proxy, three replicas; each of the four children has its shim.
    assert len(wrapped.processes()) == 1 + 2 * 4


def test_a_second_up_in_the_foreground_says_who_runs_it(wrapped: Site) -> None:
    daemon = wrapped.up()["daemon"]["pid"]
    second = wrapped.run("up")
    assert second.returncode == 1
    assert f"run by process {daemon}" in second.stderr
    assert "mainstay down" in second.stderr


def test_a_broken_declaration_is_refused_and_the_old_one_serves_on(wrapped: Site) -> None:
    before = wrapped.up()
    good = (wrapped.folder / "mainstay.yaml").read_text()
    (wrapped.folder / "mainstay.yaml").write_text(
        good + "egde: {port: 1}\ninbound: {drain: soon}\n"
    )
    done = wrapped.run("up", "-d")
    assert done.returncode == 2
    assert "mainstay.yaml:5:1: egde: " in done.stderr
    assert "mainstay.yaml:6:18: inbound.drain: " in done.stderr
    assert wrapped.get()[0] == 200
    assert {one["pid"] for one in before["services"][0]["replicas"]} == set(wrapped.pids().values())


def test_a_changed_declaration_is_applied_and_only_what_it_touches_restarts(wrapped: Site) -> None:
    before = wrapped.up()
    pids = {one["pid"] for one in before["services"][0]["replicas"]}
    text = (wrapped.folder / "mainstay.yaml").read_text()
    (wrapped.folder / "mainstay.yaml").write_text(text.replace("replicas: 3", "replicas: 4"))
    grown = wrapped.up()
    assert pids < {one["pid"] for one in grown["services"][0]["replicas"]}
    (wrapped.folder / "mainstay.yaml").write_text(text + "inbound: {deadline: 4s}\n")
    renewed = {one["pid"] for one in wrapped.up()["services"][0]["replicas"]}
    assert len(renewed) == 3
    assert not renewed & {one["pid"] for one in grown["services"][0]["replicas"]}
    assert wrapped.status()["proxy"]["pid"] == before["proxy"]["pid"]


def test_a_state_of_an_earlier_boot_is_recognised(wrapped: Site) -> None:
    """Law: pids of before a reboot mean nothing, whoever has them now."""
    wrapped.up()
    daemon = wrapped.status()["daemon"]["pid"]
    processes = wrapped.processes()
    os.kill(daemon, signal.SIGKILL)
    for process in processes:
        if process.pid != daemon:
            process.kill()
    psutil.wait_procs(processes)
    state_path = wrapped.folder / ".mainstay/state.json"
    state = json.loads(state_path.read_text())
    state["boot_id"] = "of-another-boot"
    bystander = psutil.Process()
    state["replicas"][0]["identity"]["pid"] = bystander.pid
    state_path.write_text(json.dumps(state))
    fresh = wrapped.up()
    assert bystander.pid not in {one["pid"] for one in fresh["services"][0]["replicas"]}
    assert bystander.is_running()


def test_wrong_input_gets_one_sentence(wrapped: Site) -> None:
    assert "nothing was started" in wrapped.run("status").stderr
    assert wrapped.run("down").returncode == 0
    wrapped.up()
    unknown = wrapped.run("scale", "wbe", "2")
    assert unknown.returncode == 1
    assert unknown.stderr.strip().endswith("there is no service 'wbe' here; there are web")
    assert wrapped.run("scale", "web", "many").returncode == 2
    assert wrapped.run("scale", "web", "-1").returncode == 2
    assert wrapped.run("logs", "nobody").returncode == 1


def test_state_is_private(wrapped: Site) -> None:
    wrapped.up()
    loose = [
        path
        for path in (wrapped.folder / ".mainstay").rglob("*")
        if path.lstat().st_mode & 0o077 and not path.is_dir()
    ]
    assert loose == []


def test_the_environment_of_a_replica_holds_its_secret_and_nothing_else_shows_it(
    site: Site,
) -> None:
    secret = "hunter2-" + "x" * 20
    (site.folder / "secret.txt").write_text(secret + "\n")
    site.declare(
        "service: web\ncommand: python plain.py $PORT\n"
        "run: {replicas: 1, env: {TOKEN: '${file:secret.txt}'}}\nedge: @PORT@\n"
    )
    up = site.run("up", "-d")
    pid = site.service()["replicas"][0]["pid"]
    assert psutil.Process(pid).environ()["TOKEN"] == secret
    shown = up.stdout + up.stderr + site.run("status", "--json").stdout
    for path in (site.folder / ".mainstay").rglob("*"):
        if path.is_file():
            shown += path.read_text(errors="replace")
    for process in site.processes():
        shown += " ".join(process.cmdline())
    assert secret not in shown
