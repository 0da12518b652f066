import pytest

from mainstay.service.outbound.balance import Endpoint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.1:8080", "10.0.0.1", 8080),
        ("catalog.internal:80", "catalog.internal", 80),
        ("[::1]:443", "::1", 443),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ],
)
def test_text_and_back(text: str, host: str, port: int) -> None:
    endpoint = Endpoint.parse(text)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert str(endpoint) == text


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":80", "::1:80", "h:0", "h:65536", "h:999999", "u@h:80", "h /x:80",
     "h\r\nX: y:80", "[]:80", "[h]:80", "h:80/path", "a" * 254 + ":80"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|is no host"):
        Endpoint.parse(text)


def test_a_weight_has_bounds_and_makes_no_other_endpoint() -> None:
    assert Endpoint(host="h", port=1, weight=5) == Endpoint(host="h", port=1)
    for weight in (0, -1, 10_001):
        with pytest.raises(ValueError, match=r"weight .* is not between"):
            Endpoint(host="h", port=1, weight=weight)
