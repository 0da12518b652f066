"""Whose word is taken for who the client is."""

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mainstay.service.inbound.client import Trust, packed_of

TRUST = Trust(("127.0.0.0/8", "::1/128", "10.0.0.0/8", "2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "198.51.100.7,10.1.2.3", "198.51.100.7"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.7, 10.1.2.3, 10.9.9.9", "198.51.100.7"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "198.51.100.7, nonsense", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7, nonsense, 10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("127.0.0.1", "[2001:DB8:1::7]:4711", "2001:db8:1::7"),
        ("::ffff:127.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::1", "2001:0db9:0:0::7", "2001:db9::7"),
    ],
)
def test_the_last_stranger_is_the_client(
    peer: str | None, forwarded: str, client: str | None
) -> None:
    """Asked again, it is remembered."""
    assert TRUST.client(peer, forwarded.encode()) == client
    assert TRUST.client(peer, forwarded.encode()) == client


@pytest.mark.parametrize("peer", ["192.0.2.1", "fe80::1%eth0", "testclient", None])
def test_strangers_are_not_trusted(peer: str | None) -> None:
    assert peer not in TRUST


def test_who_comes_by_a_unix_socket_is_trusted_where_that_is_said() -> None:
    assert None not in TRUST
    trust = Trust(("unix",))
    assert None in trust
    assert "" in trust
    assert "127.0.0.1" not in trust
    assert trust.client(None, b"198.51.100.7") == "198.51.100.7"


def test_a_long_list_is_not_read_to_its_end() -> None:
    hops = b"6.6.6.6, " + b", ".join([b"10.0.0.1"] * 40)
    assert TRUST.client("127.0.0.1", hops) == "10.0.0.1"


def test_a_million_strangers_are_not_remembered() -> None:
    trust = Trust(("10.0.0.0/8",))
    for number in range(5_000):
        assert str(ipaddress.ip_address(0x0B000000 + number)) not in trust
        trust.client("10.0.0.1", b"198.51.%d.%d" % divmod(number, 256))
    assert len(trust.known) <= 1024
    assert len(trust.clients) <= 1024
    assert None not in trust
    assert "10.1.1.1" in trust


@given(st.binary(max_size=200))
@example(b"::ffff:1.2.3.4%x")
@example(b"[::1")
def test_no_header_raises(forwarded: bytes) -> None:
    client = TRUST.client("127.0.0.1", forwarded)
    assert client is not None
    assert packed_of(client) is not None


@given(st.ip_addresses(), st.sampled_from(["10.0.0.0/8", "::/1", "2001:db8::/32", "0.0.0.0/0"]))
def test_trust_is_what_the_standard_library_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str
) -> None:
    expected = address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        expected = address.ipv4_mapped
    assert (str(address) in Trust((network,))) == (expected in ipaddress.ip_network(network))
