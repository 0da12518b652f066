"""Work that was cut off is never done twice: nobody says that it wasn't done."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.service.inbound.idempotency.drive import Answering, Asgi, Kind, Request, exchange_of

from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.idempotency.asgi import AsgiKeyed
from mainstay.service.inbound.idempotency.events import AttemptAbandoned

Make = Callable[..., Kind]


def repeated(kind: Kind) -> str | None:
    """Ask once more, when what is owed to the store is paid; return the kind of the refusal."""
    kind.idempotency.keeper.turn()
    kind.does = Answering()
    return kind.ask().kind


def test_an_app_that_returns_without_an_answer_has_crashed(make: Make) -> None:
    """As Quart and Django do when they have cancelled their handler."""
    kind = make()
    kind.does.silent = True
    kind.ask()
    assert repeated(kind) == "idempotency-unknown"
    assert len(kind.asked) == 1
    assert AttemptAbandoned in [type(event) for event in kind.heard]


@pytest.mark.parametrize("status", [None, 500, 503])
def test_what_fails_when_the_time_is_up_was_cut_off(make: Make, status: int | None) -> None:
    """Be it an exception, as of a call within it, or what a framework makes of one."""
    kind = make()
    kind.during = lambda: kind.clock.advance(2)
    expires_s = kind.clock.monotonic_s() + 1
    if status is None:
        kind.does.error = LookupError()
        with pytest.raises(LookupError):
            kind.ask(expires_s=expires_s)
    else:
        kind.does.status = status
        kind.ask(expires_s=expires_s)
    assert repeated(kind) == "idempotency-unknown"
    assert len(kind.asked) == 1


def test_what_succeeds_when_the_time_is_up_is_given_to_who_asks_again(make: Make) -> None:
    kind = make()
    kind.during = lambda: kind.clock.advance(2)
    kind.ask(expires_s=kind.clock.monotonic_s() + 1)
    assert kind.ask().headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1


def test_what_fails_in_time_is_done_again(make: Make) -> None:
    kind = make()
    kind.does.error = LookupError()
    with pytest.raises(LookupError):
        kind.ask(expires_s=kind.clock.monotonic_s() + 1)
    assert repeated(kind) is None
    assert len(kind.asked) == 2


class Leaving(Asgi):
    """An app that listens whether its client has left, and cancels its work then, as Quart's."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent: list[Any] = []
        self.told_s: list[bool] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.note(b"")
        begun = False

        async def work() -> None:
            nonlocal begun
            for _ in range(10):
                await asyncio.sleep(0)
            begun = True
            await send({"type": "http.response.start", "status": 201, "headers": []})
            for _ in range(10):
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b"done"})

        async def listen() -> None:
            assert (await receive())["type"] == "http.disconnect"
            self.told_s.append(begun)

        working, listening = asyncio.create_task(work()), asyncio.create_task(listen())
        await asyncio.wait([working, listening])


def test_the_work_goes_on_when_the_client_leaves_and_is_told_once_the_answer_begins() -> None:
    """A framework that listens would cancel its handler in the midst of the work."""
    kind = Leaving()
    kind.answer(Request())
    assert kind.told_s == [True]
    assert kind.ask().headers["idempotency-replayed"] == "true"
    assert len(kind.asked) == 1


def test_a_file_is_sent_in_parts_so_that_it_can_be_kept() -> None:
    """Where the server would send it by itself, nobody here sees it."""
    kind = Asgi()
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"])

    extensions: dict[str, Any] = {
        "http.response.pathsend": {},
        "http.response.zerocopysend": {},
        "tls": {},
    }
    scope: dict[str, Any] = {"type": "http", "query_string": b"", "extensions": extensions}
    scope["mainstay.exchange"] = exchange_of(scope, Request())

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    async def asked() -> None:
        await AsgiKeyed(kind.idempotency, app)(scope, receive, send)

    asyncio.run(asked())
    assert seen == [{"tls": {}}]
    assert len(extensions) == 3, "the server's own stay as they are"


def test_a_handler_that_ended_by_neither_answer_nor_error_has_crashed() -> None:
    kind = Asgi()
    kind.does.error = HandlerEnded("by SystemExit")
    with pytest.raises(HandlerEnded):
        kind.ask()
    assert repeated(kind) == "idempotency-unknown"
    assert len(kind.asked) == 1
