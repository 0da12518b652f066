"""What a client gets that repeats itself; the same laws for both wrappers."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.service.inbound.idempotency.drive import KEY, Kind

from mainstay.service.inbound.idempotency.events import (
    AnswerNotKept,
    AnswerReplayed,
    AttemptAbandoned,
)

Make = Callable[..., Kind]


def test_without_a_key_each_request_reaches_the_app(make: Make) -> None:
    kind = make()
    assert [kind.ask(headers={}).status for _ in range(2)] == [201, 201]
    assert len(kind.asked) == 2
    assert kind.asked[0].attempt is None


def test_a_repetition_gets_the_first_answer_and_is_told_so(make: Make) -> None:
    kind = make()
    first, second = kind.ask(), kind.ask()
    assert len(kind.asked) == 1
    assert (second.status, second.body) == (first.status, first.body) == (201, b"made it")
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["content-length"] == "7"
    assert second.headers["content-type"] == "text/plain"
    assert [type(event) for event in kind.heard] == [AnswerReplayed]


def test_a_cookie_is_given_once_and_not_kept(make: Make) -> None:
    kind = make()
    assert kind.ask().headers["set-cookie"] == "a=b"
    assert "set-cookie" not in kind.ask().headers


def test_an_answer_without_a_body_has_no_length_either_time(make: Make) -> None:
    kind = make()
    kind.does.status, kind.does.parts = 204, ()
    kind.ask()
    reply = kind.ask()
    assert (reply.status, reply.headers["idempotency-replayed"]) == (204, "true")
    assert "content-length" not in reply.headers


def test_the_app_gets_the_whole_body_and_its_attempt(make: Make) -> None:
    kind = make()
    kind.ask()
    (asked,) = kind.asked
    assert asked.body == b"two bikes"
    assert asked.attempt.key == KEY["idempotency-key"].strip('"')


@pytest.mark.parametrize(
    "other",
    [{"body": b"three bikes"}, {"path": "/bikes"}, {"query": "a=1"}, {"method": "PATCH"}],
)
def test_another_request_with_the_same_key_is_refused(make: Make, other: dict[str, str]) -> None:
    kind = make()
    kind.ask()
    reply = kind.ask(**other)
    assert (reply.status, reply.kind) == (422, "idempotency-mismatch")
    assert len(kind.asked) == 1


def test_a_repetition_while_the_first_is_in_flight_is_told_to_wait(make: Make) -> None:
    kind = make()
    other = make(records=kind.records, clock=kind.clock)
    seen = []

    def repeat() -> None:
        # In a thread of its own, as another replica: no loop runs there yet.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(other.ask).result(30))

    kind.during = repeat
    assert kind.ask().status == 201
    (reply,) = seen
    assert (reply.status, reply.kind) == (409, "idempotency-conflict")
    assert int(reply.headers["retry-after"]) >= 1
    assert other.asked == []


@pytest.mark.parametrize("header", ["", '"', '"é"', "a b", '"a", "b"', "a,b", "x" * 256, '""'])
def test_a_malformed_key_is_refused(make: Make, header: str) -> None:
    kind = make()
    reply = kind.ask(headers={"idempotency-key": header})
    assert (reply.status, reply.kind) == (400, "header-invalid")
    assert kind.asked == []


def test_a_missing_key_is_refused_where_one_is_required(make: Make) -> None:
    kind = make(required=True)
    reply = kind.ask(headers={})
    assert (reply.status, reply.kind) == (400, "idempotency-key-missing")
    assert kind.ask().status == 201


def test_nobody_gets_the_answer_to_anothers_key(make: Make) -> None:
    kind = make()
    asks: tuple[dict[str, Any], ...] = (
        {"headers": KEY | {"authorization": "Bearer one"}},
        {"headers": KEY | {"authorization": "Bearer two"}},
        {"headers": KEY},
        {"headers": KEY, "client": "192.0.2.2"},
        # An address that stands in a header is none.
        {"headers": KEY | {"authorization": "192.0.2.1"}},
    )
    for ask in asks:
        assert "idempotency-replayed" not in kind.ask(**ask).headers
    assert len(kind.asked) == len(asks)
    for ask in asks:
        assert kind.ask(**ask).headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    ("caller", "one", "same", "other"),
    [
        ("header:X-Tenant", {"x-tenant": "a"}, {"x-tenant": "a", "authorization": "b"},
         {"x-tenant": "b"}),
        ("cookie:sid", {"cookie": "x=1; sid=a"}, {"cookie": "sid=a; x=2"}, {"cookie": "sid=b"}),
        ("client_ip", {"authorization": "a"}, {"authorization": "b"}, None),
    ],
)  # fmt: skip
def test_who_asks_is_known_by_what_is_declared(
    make: Make,
    caller: str,
    one: dict[str, str],
    same: dict[str, str],
    other: dict[str, str] | None,
) -> None:
    kind = make(caller=caller)
    kind.ask(headers=KEY | one)
    assert "idempotency-replayed" in kind.ask(headers=KEY | same).headers
    if other is not None:
        assert "idempotency-replayed" not in kind.ask(headers=KEY | other).headers


GUESSED = {"idempotency-key": '"order-17"'}


def test_a_key_that_may_be_guessed_tells_a_stranger_nothing(make: Make) -> None:
    """Two people behind one address: the work is done once, and that is all the other one hears."""
    kind = make()
    assert kind.ask(headers=GUESSED).status == 201
    again = kind.ask(headers=GUESSED)
    assert (again.status, again.kind, again.body) == (409, "idempotency-answer-not-kept", b"")
    assert len(kind.asked) == 1
    # Elsewhere it is another caller's, and does the work.
    assert kind.ask(headers=GUESSED, client="192.0.2.2").status == 201


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({}, {"authorization": "Bearer one"}),
        ({"caller": "cookie:sid"}, {"cookie": "sid=a"}),
        ({"caller": "header:X-Tenant"}, {"x-tenant": "a"}),
        ({"caller": "client_ip"}, {}),
        ({"principal": lambda exchange: "user"}, {}),
    ],
    ids=["authorization", "cookie", "header", "declared address", "program"],
)
def test_who_is_known_may_have_any_key(
    make: Make, options: dict[str, Any], headers: dict[str, str]
) -> None:
    kind = make(**options)
    first = kind.ask(headers=GUESSED | headers)
    again = kind.ask(headers=GUESSED | headers)
    assert (again.status, again.body) == (first.status, first.body)
    assert "idempotency-replayed" in again.headers


@pytest.mark.parametrize("caller", ["cookie:sid", "header:X-Tenant", "authorization"])
def test_who_lacks_what_is_declared_is_as_anonymous(make: Make, caller: str) -> None:
    kind = make(caller=caller)
    kind.ask(headers=GUESSED)
    assert kind.ask(headers=GUESSED).kind == "idempotency-answer-not-kept"


def test_the_program_may_say_who_asks(make: Make) -> None:
    kind = make(principal=lambda exchange: exchange.get(b"x-user") and "user")
    kind.ask(headers=KEY | {"x-user": "1", "authorization": "old token"})
    again = kind.ask(headers=KEY | {"x-user": "1", "authorization": "new token"})
    assert "idempotency-replayed" in again.headers


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_an_answer_that_asks_to_come_back_is_not_kept(make: Make, status: int) -> None:
    kind = make()
    kind.does.status = status
    assert kind.ask().status == kind.ask().status == status
    assert len(kind.asked) == 2


def test_server_errors_are_kept_where_declared(make: Make) -> None:
    kind = make(server_errors=True)
    kind.does.status = 500
    kind.ask()
    assert kind.ask().headers["idempotency-replayed"] == "true"
    kind.does.status = 503
    other = {"headers": {"idempotency-key": "other"}}
    kind.ask(**other)
    assert "idempotency-replayed" not in kind.ask(**other).headers


def test_after_an_exception_a_repetition_does_the_work_again(make: Make) -> None:
    kind = make()
    kind.does.error = LookupError("x")
    with pytest.raises(LookupError):
        kind.ask()
    kind.does.error = None
    assert kind.ask().status == 201
    assert len(kind.asked) == 2


def test_after_an_exception_nothing_runs_again_where_server_errors_are_kept(make: Make) -> None:
    kind = make(server_errors=True)
    kind.does.error = LookupError("x")
    with pytest.raises(LookupError):
        kind.ask()
    assert kind.ask().kind == "idempotency-answer-not-kept"


def test_work_that_is_cut_off_is_as_a_crash(make: Make) -> None:
    kind = make()
    kind.does.error = kind.cut_off
    with pytest.raises(type(kind.cut_off)):
        kind.ask()
    kind.idempotency.keeper.turn()
    kind.does.error = None
    reply = kind.ask()
    assert (reply.status, reply.kind) == (409, "idempotency-unknown")
    assert AttemptAbandoned in [type(event) for event in kind.heard]


def test_work_that_is_cut_off_is_done_again_where_declared(make: Make) -> None:
    kind = make(after_crash="run")
    kind.does.error = kind.cut_off
    with pytest.raises(type(kind.cut_off)):
        kind.ask()
    kind.idempotency.keeper.turn()
    kind.does.error = None
    assert kind.ask().status == 201
    assert kind.ask().headers["idempotency-replayed"] == "true"


def test_a_long_answer_is_not_kept_and_the_work_not_repeated(make: Make) -> None:
    kind = make(answer_bytes_max=1000)
    kind.does.parts = (b"x" * 600, b"y" * 600)
    assert len(kind.ask().body) == 1200
    reply = kind.ask()
    assert (reply.status, reply.kind) == (409, "idempotency-answer-not-kept")
    assert len(kind.asked) == 1
    (event,) = kind.heard
    assert isinstance(event, AnswerNotKept)
    assert event.reason in {"size", "unfinished"}


def test_a_long_body_is_refused(make: Make) -> None:
    kind = make(body_bytes_max=10)
    reply = kind.ask(body=b"x" * 11)
    assert (reply.status, reply.kind) == (413, "body-too-large")
    assert kind.ask(body=b"x" * 10).status == 201


def test_a_client_that_leaves_in_the_midst_of_its_body_uses_no_key(make: Make) -> None:
    kind = make()
    assert kind.ask(cut=True).status == 0
    assert kind.asked == []
    assert kind.ask().status == 201


def test_an_answer_is_forgotten_after_its_time(make: Make) -> None:
    kind = make(ttl_s=100.0)
    kind.ask()
    kind.clock.advance(99)
    kind.ask()
    assert len(kind.asked) == 1
    kind.clock.advance(2)
    kind.ask()
    assert len(kind.asked) == 2


def test_one_more_than_may_be_held_is_refused(make: Make) -> None:
    kind = make(held_max=1)
    assert kind.idempotency.keeper.hold("another", 1)
    reply = kind.ask()
    assert (reply.status, reply.kind) == (503, "overloaded")
    kind.idempotency.keeper.drop(1)
    assert kind.ask().status == 201
    kind.idempotency.keeper.drop(1)
    assert kind.ask().headers["idempotency-replayed"] == "true"


def test_an_exception_after_the_answer_changes_nothing(make: Make) -> None:
    """As of a background task: the client has its answer, and gets it again."""
    kind = make()
    kind.does.headers.append(("Content-Length", "7"))
    kind.does.error_after = LookupError("background")
    with pytest.raises(LookupError):
        kind.ask()
    assert kind.ask().headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1
