"""Which addresses are this machine's own."""

import pytest

from mainstay.control.load import Origin, RemoteRefused
from mainstay.control.load.destination import refuse_remote

ORIGIN = Origin(scheme="http", host="shop.example", port=80)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_loopback_passes(address: str) -> None:
    refuse_remote(ORIGIN, [address])


@pytest.mark.parametrize(
    "address",
    ["203.0.113.7", "10.0.0.1", "192.168.1.1", "0.0.0.0", "::",  # noqa: S104  Bound by nobody.
     "fe80::1%lo", "2001:db8::1", "::ffff:10.0.0.1", "128.0.0.1"],
)  # fmt: skip
def test_everything_else_is_refused(address: str) -> None:
    with pytest.raises(RemoteRefused, match=r"shop\.example"):
        refuse_remote(ORIGIN, [address])


def test_one_remote_address_among_several_is_enough() -> None:
    with pytest.raises(RemoteRefused):
        refuse_remote(ORIGIN, ["127.0.0.1", "203.0.113.7"])
