"""Trusted hosts: what is served, what is another's, and what is no host."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.service.inbound.perimeter.hosts import Hosts

DECLARED = ("shop.example.com", "*.shop.example.com", "10.1.2.3", "[fd00::1]")


def status(host: bytes | None, *, trusted: bool = False) -> int | None:
    refusal = Hosts(DECLARED).refusal(host, trusted=trusted)
    return None if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host",
    [
        b"shop.example.com",
        b"shop.example.com:8443",
        b"SHOP.Example.com",
        b"shop.example.com.",
        b"shop.example.com.:80",
        b"eu.shop.example.com",
        b"a.b.shop.example.com:1",
        b"10.1.2.3:8080",
        b"[fd00::1]",
        b"[FD00::1]:443",
    ],
)
def test_declared_hosts_are_served(host: bytes) -> None:
    assert status(host) is None


@pytest.mark.parametrize(
    "host",
    [
        b"evil.com",
        b"example.com",
        b"notshop.example.com",
        b"shop.example.com.evil.com",
        b"shop.example.comx",
        b".shop.example.com.evil",
        b"10.1.2.4",
        b"[fd00::2]",
        b"localhost",
        b"127.0.0.1:8080",
    ],
)
def test_other_hosts_are_misdirected(host: bytes) -> None:
    assert status(host) == 421


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b"shop.example.com, evil.com",
        b"user@shop.example.com",
        b"shop.example.com/path",
        b"shop.example.com#",
        b"shop.example.com:port",
        b"shop.example.com:123456",
        b"shop.example.com\n",
        b"shop example.com",
        b"[::1",
        b"\xff\xfe",
        b"a" * 300,
    ],
)
def test_what_is_no_host_is_a_bad_request(host: bytes | None) -> None:
    assert status(host) == 400


@pytest.mark.parametrize("host", [b"localhost:3000", b"127.0.0.1:41000", b"[::1]:41000"])
def test_a_trusted_client_may_ask_by_the_loopback(host: bytes) -> None:
    """Other services of the system call through the edge, by its loopback port."""
    assert status(host, trusted=True) is None
    assert status(host, trusted=False) == 421


def test_what_a_trusted_client_may_ask_is_not_remembered_for_others() -> None:
    hosts = Hosts(DECLARED)
    assert hosts.refusal(b"localhost", trusted=True) is None
    assert b"localhost" not in hosts.known
    assert hosts.refusal(b"localhost", trusted=False) is not None


def test_what_is_remembered_is_bounded_and_allowed() -> None:
    hosts = Hosts(DECLARED)
    for number in range(5000):
        assert hosts.refusal(b"n%d.shop.example.com" % number, trusted=False) is None
        assert hosts.refusal(b"n%d.evil.com" % number, trusted=False) is not None
    assert len(hosts.known) <= 1024
    assert all(host.endswith((b".com", b"10.1.2.3", b"[fd00::1]")) for host in hosts.known)
    assert not any(b"evil" in host for host in hosts.known)


HOSTILE = st.one_of(
    st.binary(max_size=400),
    st.text("abcsh.op:exml[]@/#?,*%-_ 019\t\r\n\0", max_size=80).map(str.encode),
    st.sampled_from([b"shop.example.com", b"[fd00::1]"]).flatmap(
        lambda host: st.tuples(st.binary(max_size=4), st.binary(max_size=4)).map(
            lambda ends: ends[0] + host + ends[1]
        )
    ),
)


@settings(max_examples=2000, deadline=None)
@given(HOSTILE, st.booleans())
def test_any_header_is_answered_and_only_ours_is_served(host: bytes, trusted: bool) -> None:  # noqa: FBT001  Drawn.
    """Against a naive reading: without port and dot, a declared name or one below it."""
    name = host.lower()
    if not name.startswith(b"["):
        name = name.partition(b":")[0]
    elif b"]" in name:
        name = name.partition(b"]")[0] + b"]"
    name = name.removesuffix(b".")
    ours = name in (b"shop.example.com", b"10.1.2.3", b"[fd00::1]")
    below = name.endswith(b".shop.example.com")
    loopback = trusted and name in (b"localhost", b"127.0.0.1", b"[::1]")
    if status(host, trusted=trusted) is None:
        assert ours or below or loopback
