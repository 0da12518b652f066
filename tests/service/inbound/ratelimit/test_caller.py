"""Who asks: one bucket for each caller, and nothing of what a caller sent in it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.ratelimit.kit import request

from mainstay.core.errors import PolicyMisused
from mainstay.service.inbound.ratelimit.caller import (
    ByFunction,
    ByHeader,
    by_address,
    by_nobody,
    told_by,
)

SECRET = b"s" * 32
TEXT_CHARS_MAX = 45


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.9", "203.0.113.10", False),
        # A customer has all of a /64, and may come from another address of it each time.
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        # All of IPv4 is in one /64 of IPv6, but not one customer's.
        ("::ffff:203.0.113.9", "::ffff:203.0.113.10", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("testclient", "testclient", True),
        ("testclient", "otherclient", False),
        (None, None, True),
        (None, "203.0.113.9", False),
    ],
)
def test_who_shares_an_address(one: str | None, other: str | None, same: bool) -> None:  # noqa: FBT001
    assert (by_address(request(client=one)) == by_address(request(client=other))) is same


@given(st.text(max_size=200))
def test_any_text_for_an_address_is_taken_and_bounded(client: str) -> None:
    assert len(by_address(request(client=client))) <= TEXT_CHARS_MAX


def test_a_header_tells_callers_apart_and_is_not_kept() -> None:
    by_key = ByHeader(b"x-api-key", SECRET)
    one = by_key(request(headers={b"x-api-key": b"hunter2"}))
    assert by_key(request(headers={b"x-api-key": b"hunter2"}, client="1.1.1.1")) == one
    assert by_key(request(headers={b"x-api-key": b"hunter3"})) != one
    assert ByHeader(b"x-api-key", b"t" * 32)(request(headers={b"x-api-key": b"hunter2"})) != one
    assert "hunter2" not in one
    assert len(by_key(request(headers={b"x-api-key": b"x" * 60_000}))) == len(one)


@pytest.mark.parametrize("headers", [{}, {b"x-api-key": b""}])
def test_who_has_no_key_is_told_apart_by_address(headers: dict[bytes, bytes]) -> None:
    exchange = request(headers=headers)
    assert ByHeader(b"x-api-key", SECRET)(exchange) == by_address(exchange)


def test_a_function_tells_the_user() -> None:
    users = {b"a": "ann", b"b": "bob"}
    by_user = ByFunction("user", {"user": lambda one: users.get(one.get(b"who") or b"")}, SECRET)
    ann = by_user(request(headers={b"who": b"a"}))
    assert by_user(request(headers={b"who": b"a"}, client="1.1.1.1")) == ann
    assert by_user(request(headers={b"who": b"b"})) != ann
    assert "ann" not in ann
    assert by_user(request()) == by_address(request())


def test_a_function_may_be_registered_later_and_tell_odd_texts() -> None:
    functions: dict[str, object] = {}
    by_user = ByFunction("user", functions, SECRET)  # type: ignore[arg-type]  # Odd on purpose.
    assert by_user(request()) == by_address(request())
    functions["user"] = lambda _: "\udcff"
    odd = by_user(request())
    functions["user"] = lambda _: 7
    assert len({odd, by_user(request()), by_address(request())}) == 3


def test_numbers_and_uuids_are_texts_and_zero_is_somebody() -> None:
    uuid = UUID("12345678123456781234567812345678")
    assert told_by(lambda _: 7, request()) == "7"
    assert told_by(lambda _: 0, request()) == "0"
    assert told_by(lambda _: uuid, request()) == str(uuid)
    assert (told_by(lambda _: "", request()), told_by(lambda _: None, request())) == ("", "")


@pytest.mark.parametrize("told", [object(), b"ann", ["ann"], 1.5])
def test_what_may_have_another_text_next_time_is_no_caller(told: object) -> None:
    with pytest.raises(PolicyMisused, match=f"returned a {type(told).__name__}: it must be no cor"):
        told_by(lambda _: told, request())  # type: ignore[arg-type, return-value]  # Odd on purpose.


def test_all_are_one_where_the_service_is_counted() -> None:
    assert by_nobody(request()) == by_nobody(request(client="1.1.1.1", path="/x"))
