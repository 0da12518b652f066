"""Where dependencies are asked, and real sockets on loopback that answer or don't."""

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.health.builtin import (
    builtin_checks,
    check_disk,
    check_memory,
    used_of,
)
from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import Target, ask_http, connect, target_of
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Check, Dependency
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.run import Run


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://db/orders", (("db", 5432),)),
        ("postgresql+asyncpg://shop:p%40ss@db:6000/orders", (("db", 6000),)),
        ("postgresql://a:1,b:2,c/orders", (("a", 1), ("b", 2), ("c", 5432))),
        ("redis://[::1]:7000/0", (("::1", 7000),)),
        ("https://api.example.com", (("api.example.com", 443),)),
        ("nats://n1", (("n1", 4222),)),
        ("other://host:99", (("host", 99),)),
        ("other://host", None),
        ("postgresql:///orders?host=/run/pg", None),
        ("sqlite:///orders.db", None),
        ("redis://host:99999", (("host", 6379),)),
        ("http://[::1", None),
    ],
)
def test_hosts_of_a_url(url: str, hosts: tuple[tuple[str, int], ...] | None) -> None:
    target = target_of("d", Dependency(url=url), {})
    assert (None if target is None else target.hosts) == hosts


@given(st.text(max_size=200))
def test_no_url_raises(url: str) -> None:
    """A URL from the environment is anybody's text."""
    target = target_of("d", Dependency(service="catalog"), {"MAINSTAY_URL_D": url})
    assert target is None or target.hosts


def test_a_secret_url_is_reached_and_not_shown() -> None:
    target = target_of("d", Dependency(url=Secret("${file:x}", "redis://u:hidden@r:1/0")), {})
    assert target is not None
    assert target.hosts == (("r", 1),)
    assert "hidden" not in repr(target)


def test_what_is_asked_of_each_kind() -> None:
    """A service is asked whether it lives, unless a path is declared; a URL is connected to."""
    where = {"MAINSTAY_URL_D": "http://127.0.0.1:1"}
    alive = target_of("d", Dependency(service="catalog"), where)
    ready = target_of("d", Dependency(service="catalog", check=Check(path="/r")), where)
    plain = target_of("d", Dependency(url="http://127.0.0.1:1"), {})
    redis = target_of("d", Dependency(url="redis://r", check=Check(path="/r")), {})
    assert [None if t is None else (t.path, t.ok_below) for t in (alive, ready, plain, redis)] == [
        ("/health/live", 500),
        ("/r", 400),
        (None, 400),
        (None, 400),
    ]


def test_a_dependency_without_an_address_has_no_check() -> None:
    declared = Declaration(
        service="s",
        app="a:b",
        dependencies=(
            ("catalog", Dependency(service="catalog")),
            ("off", Dependency(url="redis://r", check=None)),
            ("cache", Dependency(url="redis://r", criticality="optional")),
            ("db", Dependency(url="postgresql://d", check=Check(timeout_s=0.5))),
        ),
    )
    checks = {check.name: check for check in builtin_checks(declared, {})}
    assert list(checks) == ["disk", "memory", "cache", "db"]
    shown = [(c.critical, c.timeout_s, c.component_type) for c in checks.values()]
    assert shown == [
        (False, 1.0, "system"),
        (False, 2.0, "system"),
        (False, 1.0, "datastore"),
        (True, 0.5, "datastore"),
    ]


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  The base's name.
        del format, args


@pytest.fixture
def http_port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(60)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("answered", "ok_below", "status"),
    [
        (200, 400, Status.PASS),
        (302, 400, Status.PASS),
        (404, 400, Status.FAIL),
        (404, 500, Status.PASS),
        (503, 500, Status.FAIL),
    ],
)
def test_http_answers(http_port: int, answered: int, ok_below: int, status: Status) -> None:
    target = Target(
        scheme="http", hosts=(("127.0.0.1", http_port),), path=f"/{answered}", ok_below=ok_below
    )
    assert ask_http(target, 30) == Finding(status=status, output=f"answered {answered}")


def test_nobody_answers(closed_port: int) -> None:
    target = Target(scheme="http", hosts=(("127.0.0.1", closed_port),), path="/200")
    refused = Finding(status=Status.FAIL, output="ConnectionRefusedError")
    assert ask_http(target, 30) == refused
    assert connect(target, 30) == refused


def test_one_host_of_several_is_enough(closed_port: int, http_port: int) -> None:
    hosts = (("127.0.0.1", closed_port), ("127.0.0.1", http_port))
    assert connect(Target(scheme="redis", hosts=hosts, path=None), 30).status is Status.PASS


def test_what_is_not_http_fails_without_a_traceback(closed_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            client.recv(4096)
            client.sendall(b"SSH-2.0-nonsense\r\n\r\n")
            client.close()

        thread = threading.Thread(target=answer)
        thread.start()
        target = Target(scheme="http", hosts=(server.getsockname(),), path="/")
        assert ask_http(target, 30) == Finding(status=Status.FAIL, output="BadStatusLine")
        thread.join(60)


def test_disk_warns_below_its_bound() -> None:
    assert check_disk(0.0).status is Status.PASS
    assert check_disk(1.0).status is Status.WARN


@pytest.mark.parametrize(
    ("environ", "declared", "unit"),
    [
        ({"MAINSTAY_MEMORY_MAX": "1"}, None, "percent of memory_max"),
        ({}, 2**50, "percent of memory_max"),
        ({}, None, "percent of the machine"),
    ],
)
def test_memory_is_measured_against_what_bounds_it(
    environ: dict[str, str], declared: int | None, unit: str
) -> None:
    service = Declaration(service="s", app="a:b", run=Run(memory_max_bytes=declared))
    (memory,) = [check for check in builtin_checks(service, environ) if check.name == "memory"]
    found = memory.run()
    assert isinstance(found, Finding)
    if found.unit is None:
        pytest.skip("this system does not tell")
    assert found.unit == unit
    assert (found.status is Status.WARN) == (bool(environ) or (found.observed or 0) > 90)


def test_a_process_above_its_share_warns() -> None:
    assert check_memory(1, 0.9).output == "little memory left"


@given(st.text(max_size=300))
def test_meminfo_of_any_text(text: str) -> None:
    share = used_of(text)
    assert share is None or share <= 1


def test_meminfo() -> None:
    assert used_of("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:   250 kB\n") == 0.75
    assert used_of("MemTotal: 1000 kB\n") is None
