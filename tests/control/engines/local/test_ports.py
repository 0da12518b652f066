import os
import socket
from pathlib import Path

import pytest

from mainstay.control.engines.local.ports import (
    AGAIN_AFTER_S,
    SPAN,
    NoPortFree,
    Ports,
    holder,
    is_free,
    trouble,
)


class FakeClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s


def test_no_port_is_handed_out_twice_within_its_minute() -> None:
    ports = Ports(FakeClock())
    handed_out = [ports.free() for _ in range(300)]
    assert len(set(handed_out)) == 300
    assert all(port in SPAN for port in handed_out)


def test_ports_are_below_those_of_outgoing_connections() -> None:
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not limits.exists():
        pytest.skip("this system does not tell its range")
    if int(limits.read_text().split()[0]) < 32768:
        pytest.skip("this machine was told to use more ports than a Linux does by itself")
    assert Ports(FakeClock()).free() < int(limits.read_text().split()[0])


def test_none_that_is_free_is_said() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        held = server.getsockname()[1]
        with pytest.raises(NoPortFree, match="no free port"):
            Ports(FakeClock(), span=range(held, held + 1)).free()


def test_what_was_handed_out_is_forgotten_after_its_minute() -> None:
    clock = FakeClock()
    ports = Ports(clock)
    ports.free()
    clock.now_s += AGAIN_AFTER_S
    latest = ports.free()
    assert list(ports._handed_out) == [latest]


def test_a_port_that_is_taken_is_not_offered_until_it_is_released() -> None:
    first = Ports(FakeClock()).free()
    ports = Ports(FakeClock(), span=range(first, first + 1))
    ports.taken(first)
    with pytest.raises(NoPortFree):
        ports.free()
    ports.released(first)
    assert ports.free() == first


def test_a_port_that_someone_holds_is_named_with_its_holder() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        sentence = trouble("127.0.0.1", port)
        assert sentence is not None
        assert sentence.startswith(f"port {port} is held by ")
        told = holder(port)
        # Where the system tells at all, it tells the truth.
        assert told is None or told.startswith(f"process {os.getpid()} (")


def test_a_free_port_is_free_and_stays_so() -> None:
    port = Ports(FakeClock()).free()
    assert is_free("127.0.0.1", port)
    assert trouble("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("127.0.0.1", 70000, "is not a port"),
        ("203.0.113.7", 8080, "nobody can listen on 203.0.113.7:8080"),
        ("no such host", 8080, "nobody can listen on"),
    ],
)
def test_what_cannot_be_listened_on_is_said(host: str, port: int, why: str) -> None:
    sentence = trouble(host, port)
    assert sentence is not None
    assert why in sentence


def test_nobody_holds_a_free_port() -> None:
    assert holder(Ports(FakeClock()).free()) is None
