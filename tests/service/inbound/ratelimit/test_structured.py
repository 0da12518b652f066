"""The reader that proves our headers takes what is valid and nothing else."""

import pytest
from tests.service.inbound.ratelimit.structured import strings


def test_what_is_valid_is_read() -> None:
    assert strings(b'"default";q=100;w=60') == [("default", {"q": 100, "w": 60})]
    assert strings(b'"a\\"b";r=0; t=5 ,  "c"') == [('a"b', {"r": 0, "t": 5}), ("c", {})]


@pytest.mark.parametrize(
    "field",
    [b"", b"default;q=1", b'"a"q=1', b'"a" ;q=1', b'"a";Q=1', b'"a";q=1.', b'"a";q= 1', b'"a",',
     b'"a"b', b'"a\x00"', b'"a', b'"a";q=1234567890123456'],
)  # fmt: skip
def test_what_is_not_valid_is_not_read(field: bytes) -> None:
    with pytest.raises(ValueError, match="no "):
        strings(field)
