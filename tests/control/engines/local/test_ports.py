import os
import socket

import pytest

from mainstay.control.engines.local.ports import (
    AGAIN_AFTER_S,
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
    assert all(1024 <= port <= 65535 for port in handed_out)


def test_what_was_handed_out_is_forgotten_after_its_minute() -> None:
    clock = FakeClock()
    ports = Ports(clock)
    ports.free()
    clock.now_s += AGAIN_AFTER_S
    latest = ports.free()
    assert list(ports._handed_out) == [latest]


def test_a_port_that_is_taken_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports(FakeClock())
    first = ports.free()
    again = Ports(FakeClock())
    again.taken(first)
    assert first not in {again.free() for _ in range(50)}
    again.released(first)
    assert again._taken == set()


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
