"""Nobody gets the answer to somebody else's request, where only a cookie tells them apart."""

from collections.abc import Callable

import pytest
from tests.service.inbound.idempotency.drive import KEY, Kind

from mainstay.service.inbound.idempotency.answer import decode

Make = Callable[..., Kind]


@pytest.mark.parametrize("shared", [{}, {"authorization": "Bearer pk_public"}])
@pytest.mark.parametrize(
    ("first", "second"),
    [("login=ada", "login=bob"), ("login=ada", ""), ("", "login=bob")],
)
def test_other_cookies_may_be_somebody_else(
    make: Make, shared: dict[str, str], first: str, second: str
) -> None:
    """By one address, or by credentials of a whole site, with a key that is long and guessed."""
    kind = make()
    ada = {**KEY, **shared, **({"cookie": first} if first else {})}
    bob = {**KEY, **shared, **({"cookie": second} if second else {})}
    assert kind.ask(headers=ada).status == 201
    refused = kind.ask(headers=bob)
    assert (refused.status, refused.kind) == (409, "idempotency-answer-not-kept")
    assert kind.ask(headers=ada).headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1


def test_the_same_cookies_in_another_order_are_the_same(make: Make) -> None:
    kind = make()
    kind.ask(headers={**KEY, "cookie": "a=1; login=ada"})
    again = kind.ask(headers={**KEY, "cookie": "login=ada; a=1"})
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("caller", "more"),
    [
        ("client_ip", {}),
        ("header:X-Tenant", {"x-tenant": "acme"}),
        ("header:Authorization", {"authorization": "Bearer ada's own"}),
        ("cookie:login", {}),
    ],
)
def test_where_it_is_declared_who_asks_other_cookies_say_nothing(
    make: Make, caller: str, more: dict[str, str]
) -> None:
    kind = make(caller=caller)
    kind.ask(headers={**KEY, **more, "cookie": "login=ada; seen=1"})
    again = kind.ask(headers={**KEY, **more, "cookie": "login=ada; seen=2"})
    assert again.headers["idempotency-replayed"] == "true"


def test_where_the_user_is_known_other_cookies_say_nothing(make: Make) -> None:
    kind = make(principal=lambda _: "ada")
    kind.ask(headers={**KEY, "cookie": "seen=1"})
    again = kind.ask(headers={**KEY, "cookie": "seen=2"})
    assert again.headers["idempotency-replayed"] == "true"


def test_an_answer_completed_in_a_transaction_knows_its_cookies_too(make: Make) -> None:
    kind = make()
    kind.ask(headers={**KEY, "cookie": "login=ada"})
    attempt = kind.asked[0].attempt
    kept = decode(attempt._encoded(201, b"made", ()))
    assert kept is not None
    assert kept.witness == attempt.witness != ""
