import pytest

from mainstay.service.address import AddressUnknown, base_url
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.kinds.secret import Secret

SHOP = Declaration(
    service="shop",
    app="a:b",
    dependencies=(
        ("stock-list", Dependency(service="catalog")),
        ("api", Dependency(url="https://api.example.com/v1/")),
        ("hidden", Dependency(url=Secret("${file:x}", "redis://u:p@r"))),
    ),
)


@pytest.mark.parametrize(
    ("name", "environ", "url"),
    [
        ("stock-list", {"MAINSTAY_URL_STOCK_LIST": "http://127.0.0.1:1/"}, "http://127.0.0.1:1"),
        ("stock-list", {"MAINSTAY_URL_CATALOG": "http://127.0.0.1:2"}, "http://127.0.0.1:2"),
        ("catalog", {"MAINSTAY_URL_CATALOG": "http://127.0.0.1:2"}, "http://127.0.0.1:2"),
        ("api", {}, "https://api.example.com/v1"),
        ("api", {"MAINSTAY_URL_API": "http://127.0.0.1:3"}, "http://127.0.0.1:3"),
        ("hidden", {}, "redis://u:p@r"),
    ],
)
def test_the_engine_has_the_first_word(name: str, environ: dict[str, str], url: str) -> None:
    assert base_url(name, SHOP, environ) == url


def test_nobody_said_where_it_is() -> None:
    with pytest.raises(AddressUnknown, match="set MAINSTAY_URL_STOCK_LIST"):
        base_url("stock-list", SHOP, {})


def test_an_undeclared_dependency_is_told_with_those_that_are() -> None:
    with pytest.raises(AddressUnknown, match="it declares: stock-list, api, hidden"):
        base_url("paymnts", SHOP, {"MAINSTAY_URL_PAYMNTS": "http://x"})
