"""``breaker.share``: what it may be, and what is wrong with a store, with its place."""

from collections.abc import Callable

import pytest

from mainstay.spec.dump import dump
from mainstay.spec.faults import Fault
from mainstay.spec.load import Loaded

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

HEAD = """\
service: shop
app: shop:app
dependencies:
  cache: {url: "valkey://h:1", timeout: 1s}
  db: {url: "postgresql://h/d", timeout: 1s}
"""


def payments(share: str) -> str:
    return f"{HEAD}  payments: {{url: 'https://p', timeout: 1s, breaker: {{share: {share}}}}}\n"


def share_of(loaded: Loaded) -> str | None:
    declaration = loaded.system.members[0].declaration
    breaker = dict(declaration.dependencies)["payments"].breaker
    assert breaker is not None
    return breaker.share


@pytest.mark.parametrize(
    ("text", "share"), [("off", None), ("~", None), ("host", "host"), ("cache", "cache")]
)
def test_it_is_off_or_this_host_or_a_store(load: Load, text: str, share: str | None) -> None:
    loaded = load(payments(text))
    assert share_of(loaded) == share
    again = load(dump(loaded.system.members[0].declaration))
    assert share_of(again) == share


def test_each_process_is_on_its_own_unless_it_is_declared(load: Load) -> None:
    assert share_of(load(f"{HEAD}  payments: {{url: 'https://p', timeout: 1s}}\n")) is None


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        ("cach", "unknown dependency cach; did you mean cache?"),
        ("db", "db can't be the store; expected a dependency whose url is valkey, "),
        ("payments", "payments can't tell of itself: while it fails, nobody would hear of it"),
    ],
)
def test_a_store_that_can_be_none_is_shown_with_its_place(
    complain: Complain, share: str, sentence: str
) -> None:
    [fault] = complain(payments(share))
    assert (fault.path, fault.line) == ("dependencies.payments.breaker.share", 6)
    assert fault.sentence.startswith(sentence)


def test_what_is_no_name_is_told_what_it_may_be(complain: Complain) -> None:
    [fault] = complain(payments("[cache]"))
    assert "host, or a dependency's name" in str(fault)


def test_a_service_of_the_system_may_be_the_store_where_it_speaks_so(complain: Complain) -> None:
    """Its URL is the engine's to say; what it speaks is declared."""
    cache = "service: cache\ncommand: valkey-server --port $PORT\nedge: {protocol: valkey}\n"
    shop = (
        "service: shop\napp: shop:app\ndependencies:\n"
        "  cache: {service: cache, timeout: 1s}\n"
        "  search: {service: search, timeout: 1s, breaker: {share: cache}}\n"
        "  payments: {url: 'https://p', timeout: 1s, breaker: {share: search}}\n"
    )
    [fault] = complain(
        {
            "mainstay.yaml": "system: [shop, cache, search]\n",
            "shop/mainstay.yaml": shop,
            "cache/mainstay.yaml": cache,
            "search/mainstay.yaml": "service: search\napp: search:app\n",
        }
    )
    assert fault.path == "dependencies.payments.breaker.share"
    assert fault.sentence.startswith("search can't be the store")
