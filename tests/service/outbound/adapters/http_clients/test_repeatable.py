import pytest

from mainstay.service.outbound.adapters.http_clients.repeatable import may_repeat


@pytest.mark.parametrize(
    ("method", "key", "repeats"),
    [
        ("GET", None, True),
        ("get", None, True),
        ("HEAD", None, True),
        ("OPTIONS", None, True),
        ("PUT", None, True),
        ("DELETE", None, True),
        ("POST", None, False),
        ("PATCH", None, False),
        ("PURGE", None, False),
        ("POST", "4711", True),
        ("PATCH", b"4711", True),
        ("POST", "", False),
    ],
)
def test_a_request_may_be_repeated_by_its_method_or_its_key(
    method: str, key: str | bytes | None, repeats: object
) -> None:
    assert may_repeat(method, key) is repeats
