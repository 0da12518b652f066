"""A declared dependency becomes endpoints; the engine's word goes first."""

import pytest

from mainstay.service.address import AddressUnknown
from mainstay.service.outbound.balance import DnsEndpoints, Endpoint, declared_endpoints
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.kinds.secret import Secret

SHOP = Declaration(
    service="shop",
    app="a:b",
    dependencies=(
        ("catalog", Dependency(service="catalog")),
        ("api", Dependency(url="https://api.example.com/v1")),
        ("six", Dependency(url="http://[::1]:8080")),
        ("cache", Dependency(url=Secret("${file:x}", "redis://u:hidden@10.0.0.7"))),
        ("odd", Dependency(url="gopher://api.example.com")),
        ("broken", Dependency(url=Secret("${file:x}", "http://u:hidden@[::1"))),
        ("nowhere", Dependency(url=Secret("${file:x}", "unix:///run/hidden.sock"))),
        ("portless", Dependency(url="http://api.example.com:99999")),
        ("zero", Dependency(url="http://api.example.com:0")),
        ("strange", Dependency(url="http://a$b/")),
    ),
)


@pytest.mark.parametrize(
    ("name", "environ", "endpoint"),
    [
        ("catalog", {"MAINSTAY_URL_CATALOG": "http://127.0.0.1:4711"}, "127.0.0.1:4711"),
        ("api", {"MAINSTAY_URL_API": "http://127.0.0.1:4712/x"}, "127.0.0.1:4712"),
        ("six", {}, "[::1]:8080"),
        ("cache", {}, "10.0.0.7:6379"),
    ],
)
def test_an_address_is_one_endpoint(name: str, environ: dict[str, str], endpoint: str) -> None:
    assert declared_endpoints(name, SHOP, environ) == (Endpoint.parse(endpoint),)


def test_a_name_is_looked_up() -> None:
    source = declared_endpoints("api", SHOP, {})
    assert isinstance(source, DnsEndpoints)
    assert source._name == Endpoint(host="api.example.com", port=443)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("catalog", "nobody said where 'catalog' is"),
        ("cart", "declares no dependency 'cart'"),
        ("odd", "names no port, and gopher has no usual one"),
        ("broken", "the URL of 'broken' names no host"),
        ("nowhere", "the URL of 'nowhere' names no host"),
        ("zero", "the URL of 'zero' names no host or no valid port"),
        ("strange", "the URL of 'strange' names no host"),
        ("portless", "the URL of 'portless' names no host or no valid port"),
    ],
)
def test_what_is_nowhere_is_told_without_its_secrets(name: str, sentence: str) -> None:
    with pytest.raises(AddressUnknown, match=sentence) as caught:
        declared_endpoints(name, SHOP, {})
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
