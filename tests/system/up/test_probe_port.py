"""Probes have a port of their own in a running system: who is asked there, and what it says."""

import contextlib
import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator

import psutil
import pytest
from tests.system.up.site import Site, Status, eventually

pytestmark = pytest.mark.system

HOLDING = """
import os, pathlib, time
from mainstay import Service


def hold():
    pathlib.Path("held-" + os.environ["MAINSTAY_REPLICA"]).touch()
    while not os.path.exists("go"):
        time.sleep(0.02)


async def bare(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/hold":
        hold()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def threaded(environ, start_response):
    if environ["PATH_INFO"] == "/hold":
        hold()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


service = Service.load()
asgi = service.asgi(bare)
wsgi = service.wsgi(threaded)
"""

QUICK = "health: {interval: 200ms, timeout: 1s, fall: 2, rise: 1}"


def declare(site: Site, app: str, *, more: str = "", run: str = "hang_timeout: 60s") -> None:
    (site.folder / "holding.py").write_text(HOLDING)
    site.declare(
        f"service: web\napp: holding:{app}\nrun: {{replicas: 2, {run}}}\n"
        f"edge: {{port: @PORT@, {QUICK}}}\n{more}"
    )


def ports(site: Site) -> dict[int, int | None]:
    """Return the port of each replica, and the one for its probes."""
    return {one["port"]: one["probe_port"] for one in site.service()["replicas"]}


def checked_at(site: Site) -> dict[int, int | None]:
    """Return the port of each replica, and another one where Envoy is told to check it."""
    told = json.loads((site.folder / ".mainstay/edge/cds.json").read_text())
    endpoints = [
        one["endpoint"]
        for cluster in told["resources"]
        for place in cluster["load_assignment"]["endpoints"]
        for one in place["lb_endpoints"]
    ]
    return {
        one["address"]["socket_address"]["port_value"]: one.get("health_check_config", {}).get(
            "port_value"
        )
        for one in endpoints
    }


def ask(port: int, path: str = "/health/ready") -> tuple[int, Status]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        said: Status = json.loads(answer.read())
        return answer.status, said


@contextlib.contextmanager
def held(port: int, count: int) -> Iterator[None]:
    """Have so many handlers of a replica hold what they run in."""

    def hold() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        # It is killed: that is what these tests are about.
        with (
            contextlib.closing(connection),
            contextlib.suppress(OSError, http.client.HTTPException),
        ):
            connection.request("GET", "/hold")
            connection.getresponse().read()

    threads = [threading.Thread(target=hold) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(60)


@pytest.mark.parametrize("app", ["asgi", "wsgi"])
def test_replicas_are_checked_at_a_port_of_their_own(site: Site, app: str) -> None:
    declare(site, app)
    site.up()
    found = ports(site)
    assert len({*found, *found.values()}) == 4, "each has two of its own"
    assert None not in found.values()
    assert checked_at(site) == found
    for own in found.values():
        assert own is not None
        assert ask(own)[0] == 200
    assert site.service()["state"] == "ok"
    assert all(site.get()[0] == 200 for _ in range(10))


@pytest.mark.parametrize(
    ("app", "count", "trouble"),
    [("asgi", 1, "the event loop is stuck"), ("wsgi", 2, "every thread is stuck")],
)
def test_a_replica_that_is_stuck_says_so_and_is_replaced(
    site: Site, app: str, count: int, trouble: str
) -> None:
    declare(site, app, run="threads: 2, hang_timeout: 2s", more="inbound: {deadline: 300ms}\n")
    site.up()
    before = site.pids()
    stuck = next(one for one in site.service()["replicas"] if one["name"] == "web-1")
    with held(stuck["port"], count):
        said = []

        def is_told() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                said.append(ask(stuck["probe_port"]))
            return said[-1][0] == 503 if said else False

        eventually(is_told, what="it does not say that it is stuck")
        assert said[-1][1] == {"status": "fail", "output": trouble}
        eventually(lambda: not psutil.pid_exists(before["web-1"]), what="it is not replaced")
    assert before["web-2"] in site.pids().values()
    eventually(lambda: site.service()["state"] == "ok", what="the system does not recover")
    assert all(site.get()[0] == 200 for _ in range(10))


def test_a_new_daemon_goes_on_asking_there(site: Site) -> None:
    declare(site, "asgi")
    pid = site.up()["daemon"]["pid"]
    before, pids = ports(site), site.pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid))
    site.up()
    assert (ports(site), site.pids()) == (before, pids)
    assert checked_at(site) == before


def test_replicas_of_an_earlier_mainstay_are_asked_where_they_work(site: Site) -> None:
    """Law: an upgrade restarts nothing."""
    declare(site, "asgi")
    pid = site.up()["daemon"]["pid"]
    before, pids = ports(site), site.pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid))
    path = site.folder / ".mainstay/state.json"
    state = json.loads(path.read_text())
    for one in state["replicas"]:
        del one["probe_port"]
    path.write_text(json.dumps(state))
    site.up()
    assert site.pids() == pids
    assert ports(site) == checked_at(site) == dict.fromkeys(before)
    assert site.service()["state"] == "ok"
    assert site.run("restart", "web").returncode == 0
    assert None not in ports(site).values()
    assert checked_at(site) == ports(site)


def test_an_app_that_is_not_wrapped_is_checked_where_it_works(site: Site) -> None:
    declare(site, "bare")
    site.up()
    assert set(ports(site).values()) == {None}
    assert checked_at(site) == ports(site)
    assert site.service()["state"] == "ok"
    assert site.get() == (200, "ok")
    assert "the app is not wrapped" in site.run("logs", "--lines", "50").stdout


def test_a_path_of_the_apps_own_is_asked_where_the_app_is(site: Site) -> None:
    """Also once the declaration says so while it runs, which restarts nothing."""
    declare(site, "asgi")
    site.up()
    before = ports(site)
    assert checked_at(site) == before
    text = (site.folder / "mainstay.yaml").read_text()
    (site.folder / "mainstay.yaml").write_text(text.replace("{interval", "{path: /up, interval"))
    site.up()
    assert ports(site) == before
    assert checked_at(site) == dict.fromkeys(before)
    assert site.service()["state"] == "ok"


def test_a_command_has_none(site: Site) -> None:
    site.declare("service: web\ncommand: python plain.py $PORT\nrun: {replicas: 1}\nedge: @PORT@\n")
    site.up()
    assert set(ports(site).values()) == {None}
    assert checked_at(site) == ports(site)


def test_who_leaves_says_so_there_at_once(site: Site) -> None:
    declare(site, "asgi", more="inbound: {drain_delay: 20s}\n")
    site.up()
    leaving = next(one for one in site.service()["replicas"] if one["name"] == "web-1")
    os.kill(leaving["pid"], signal.SIGTERM)
    eventually(lambda: ask(leaving["probe_port"])[0] == 503, within_s=15, what="it goes on")
    assert ask(leaving["probe_port"])[1]["output"] == "draining"
    assert ask(leaving["probe_port"], "/health/live")[0] == 200
    states = eventually(
        lambda: (
            (found := {one["name"]: one["state"] for one in site.service()["replicas"]})
            and found.get("web-1") == "unhealthy"
            and found
        ),
        within_s=15,
        what="the edge does not notice",
    )
    assert states["web-2"] == "ready"
    assert all(site.get()[0] == 200 for _ in range(10))
    daemon = site.status()["daemon"]["pid"]

    def ends() -> bool:
        # The second time it waits for nobody.
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGTERM)
        return not psutil.pid_exists(daemon)

    eventually(ends, what="the system does not end")
