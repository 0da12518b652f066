"""URLs: what they mean, what is refused, and that no password is ever shown."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import PolicyMisused
from mainstay.state.valkey import Valkey
from mainstay.state.valkey.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://cache", Address(host="cache")),
        ("valkey://127.0.0.1:7000/3", Address(host="127.0.0.1", port=7000, database=3)),
        ("redis://[::1]:7000?db=2", Address(host="::1", port=7000, database=2)),
        ("redis://:p%40ss@cache", Address(host="cache", password="p@ss")),
        ("redis://me:p%23@cache", Address(host="cache", username="me", password="p#")),
        ("unix:///run/valkey.sock?db=4", Address(path="/run/valkey.sock", database=4)),
        ("unix://me:s@/run/v.sock", Address(path="/run/v.sock", username="me", password="s")),
    ],
)  # fmt: skip
def test_what_a_url_means(url: str, meant: Address) -> None:
    assert parse_address(url) == meant


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_checks_names_and_certificates(scheme: str) -> None:
    found = parse_address(f"{scheme}://cache").tls
    assert found is not None
    assert found.check_hostname
    assert found.verify_mode is ssl.CERT_REQUIRED


def test_trust_may_be_given() -> None:
    own = ssl.create_default_context()
    assert parse_address("rediss://cache", tls=own).tls is own


@pytest.mark.parametrize(
    "url",
    [
        "", "cache", "http://cache", "redis://", "redis:///1", "redis://cache:0", "redis://cache:x",
        "redis://cache:99999", "redis://cache/x", "redis://cache/-1", "redis://cache/99999",
        "redis://cache/1?db=2", "redis://cache?ssl_cert_reqs=none", "redis://me@cache",
        "redis://cache#x", "unix://relative", "redis://a..b", "redis://[::1",
        "redis://cache/" + "9" * 5000, "redis://\ud800",
        "redis://:\ud800@cache", "unix:///run/%00", "redis://a\0b",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(PolicyMisused):
        parse_address(url)


def test_trust_for_a_connection_in_the_clear_is_refused() -> None:
    with pytest.raises(PolicyMisused, match="TLS"):
        parse_address("redis://cache", tls=ssl.create_default_context())


@given(st.text())
def test_hostile_texts_are_an_address_or_refused(url: str) -> None:
    for prefix in ("", "redis://", "unix:///"):
        try:
            address = parse_address(prefix + url)
        except PolicyMisused:
            continue
        assert address.path is not None or address.host


SECRET = "hunter2secret"


@pytest.mark.parametrize(
    "url", [f"redis://me:{SECRET}@cache:x", f"redis://{SECRET}@h:1:2", f"bad://:{SECRET}@cache"]
)
def test_no_refusal_shows_a_password(url: str) -> None:
    with pytest.raises(PolicyMisused) as caught:
        parse_address(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_nothing_that_is_shown_holds_the_password() -> None:
    address = parse_address(f"redis://me:{SECRET}@cache:7000/3")
    assert address.label == "valkey at cache:7000"
    assert SECRET not in repr(address)
    valkey = Valkey(f"redis://me:{SECRET}@cache:7000/3")
    assert SECRET not in f"{valkey!r} {valkey.label}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://cache", (("PING",),)),
        ("redis://:s@cache", (("AUTH", "s"), ("PING",))),
        ("redis://me:s@cache/3", (("AUTH", "me", "s"), ("SELECT", "3"), ("PING",))),
    ],
)
def test_the_greeting(url: str, said: tuple[tuple[str, ...], ...]) -> None:
    assert parse_address(url).greeting() == said
