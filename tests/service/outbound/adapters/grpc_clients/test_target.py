"""Where a channel goes, by the URL of a declared dependency."""

import pytest

from mainstay.service.address import AddressUnknown
from mainstay.service.outbound.adapters.grpc_clients.target import credentials_for, target_of


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("grpc://payments.internal:50051", "payments.internal:50051"),
        ("grpc://payments.internal", "payments.internal:80"),
        ("grpcs://payments.internal", "payments.internal:443"),
        ("https://api.example.com/v1", "api.example.com:443"),
        ("http://127.0.0.1:8081", "127.0.0.1:8081"),
        ("grpc://user:word@[::1]:7", "[::1]:7"),
    ],
)
def test_host_and_port_are_the_target(url: str, target: str) -> None:
    assert target_of("payments", url) == target


@pytest.mark.parametrize("url", ["grpc://", "grpc://x:99999", "grpc://x:port", "pigeon://roof"])
def test_what_names_no_place_is_told(url: str) -> None:
    with pytest.raises(AddressUnknown, match="payments"):
        target_of("payments", url)


@pytest.mark.parametrize(
    ("url", "encrypted"),
    [("grpc://x:1", False), ("http://x:1", False), ("grpcs://x:1", True), ("https://x:1", True)],
)
def test_the_scheme_says_whether_it_is_encrypted(url: str, encrypted: object) -> None:
    assert (credentials_for(url) is not None) is encrypted
