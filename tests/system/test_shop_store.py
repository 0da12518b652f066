"""The shop's Valkey is killed under load: no request fails, and no basket is lost."""

import http.client
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.system.shop_site import shop_site
from tests.system.up.site import Site, eventually

pytestmark = pytest.mark.system

RATE = 40
SECONDS = 12
NOTEBOOKS = "42"
BROWSER = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The shop, on a port and with data of its own, not yet started."""
    with shop_site(tmp_path) as site:
        yield site


def _service(site: Site, name: str) -> dict[str, Any]:
    """Return what is known of a service. Any: the values of JSON."""
    (found,) = (one for one in site.status()["services"] if one["name"] == name)
    service: dict[str, Any] = found
    return service


class Visitor:
    """A person with a browser that keeps its cookie."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = ""

    def ask(self, method: str, path: str, **form: str) -> tuple[int, str]:
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {**BROWSER, "Content-Type": "application/x-www-form-urlencoded"}
        if self._cookie:
            headers["Cookie"] = self._cookie
        try:
            wire.request(method, path, urlencode(form) if form else None, headers)
            answer = wire.getresponse()
            text = answer.read().decode()
        finally:
            wire.close()
        if given := answer.getheader("Set-Cookie"):
            self._cookie = given.partition(";")[0]
        return answer.status, text

    def has_a_basket(self) -> bool:
        return f"/product/{NOTEBOOKS}" in re.sub(r"(?s).*<main", "", self.ask("GET", "/cart")[1])


def test_its_death_costs_no_request_and_no_basket(site: Site, tmp_path: Path) -> None:
    site.up()
    visitor = Visitor(site.port)
    assert visitor.ask("POST", "/cart", product_id=NOTEBOOKS)[0] == 303
    assert visitor.has_a_basket()
    seen: list[int] = []
    over = threading.Event()

    def browse() -> None:
        while not over.is_set():
            seen.extend(visitor.ask("GET", path)[0] for path in ("/", "/product/1", "/cart"))

    report = tmp_path / "load.json"
    load = site.start(
        "load",
        f"http://127.0.0.1:{site.port}",
        *("--file", str(site.folder / "requests.yaml")),
        *("--rate", f"{RATE}/s", "--duration", f"{SECONDS}s"),
        *("--quiet", "--output", str(report)),
    )
    person = threading.Thread(target=browse)
    person.start()
    try:
        killed = [_kill_the_store(site) for _ in range(2)]
        words, _ = load.communicate(timeout=90)
    finally:
        over.set()
        person.join()
    assert len(set(killed)) == 2
    total = json.loads(report.read_text("utf-8"))["total"]
    assert (total["requests"], total["failed"]) == (RATE * SECONDS, 0), words
    assert set(seen) == {200}
    eventually(visitor.has_a_basket, what="the basket is back")
    assert _service(site, "store")["restarts"] == 2


def _kill_the_store(site: Site) -> int:
    """Kill it with -9 and wait until another one is there; return which it was."""

    def alive() -> int | None:
        ready = [one for one in _service(site, "store")["replicas"] if one["state"] == "ready"]
        return ready[0]["pid"] if ready else None

    pid: int = eventually(alive, what="a store is ready")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: alive() not in {None, pid}, what="another store is ready")
    return pid


def test_without_it_people_browse_and_orders_are_paid(site: Site) -> None:
    site.up()
    visitor = Visitor(site.port)
    visitor.ask("POST", "/cart", product_id=NOTEBOOKS)
    assert site.run("scale", "store", "0").returncode == 0
    for path in ("/", "/product/1", "/search?q=wool"):
        assert visitor.ask("GET", path)[0] == 200
    status, page = visitor.ask("GET", "/cart")
    assert (status, "out of reach right now" in page) == (200, True)
    body = {
        "items": [{"product_id": 42, "quantity": 1}],
        "name": "Quay Customer",
        "email": "customer@example.org",
    }
    wire = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    wire.request("POST", "/api/orders", json.dumps(body), {"Content-Type": "application/json"})
    answer = wire.getresponse()
    assert (answer.status, json.loads(answer.read())["state"]) == (201, "confirmed")
    wire.close()
    assert site.run("scale", "store", "1").returncode == 0
    eventually(visitor.has_a_basket, what="the basket is back")


def test_a_restart_of_the_store_replaces_it_and_loses_no_basket(site: Site) -> None:
    """Its successor needs its data: the old one is gone first."""
    site.up()
    visitor = Visitor(site.port)
    assert visitor.ask("POST", "/cart", product_id=NOTEBOOKS)[0] == 303
    (before,) = _service(site, "store")["replicas"]
    for _ in range(2):
        done = site.run("restart", "store")
        assert done.returncode == 0, done.stdout + done.stderr
    (after,) = _service(site, "store")["replicas"]
    assert after["pid"] != before["pid"]
    assert _service(site, "store")["restarts"] == 0, "nothing had to be tried twice"
    eventually(visitor.has_a_basket, what="the basket is back")
