"""A store that is killed, hung or started again: nobody waits for it, and it comes back."""

import asyncio
import traceback
from collections.abc import Callable, Iterator

import pytest
from tests.contract.stores.servers import Postgres, Server, until
from tests.contract.stores.servers import Valkey as ValkeyServer
from tests.contract.stores.starting import started
from tests.ports import free_port
from tests.service.inbound.idempotency.drive import Kind, Wsgi

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import StoreUnavailable
from mainstay.core.idempotency import Bid, State
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import PostgresRecords, ValkeyRecords
from mainstay.state.valkey import Valkey

pytestmark = pytest.mark.system

TIMEOUT_S = 0.25
ENDURE_S = 5.0
"""The bound, and what a busy machine may add to it. Without a bound it would be for ever."""

Close = Callable[[], None]


def made(server: Server) -> tuple[Records, Close]:
    if isinstance(server, Postgres):
        records = PostgresRecords(server.url, timeout_s=TIMEOUT_S)
        until(lambda: created(records))
        return records, records.close
    assert isinstance(server, ValkeyServer)
    client = Valkey(server.url, timeout_s=TIMEOUT_S)
    return ValkeyRecords(client), client.close


def created(records: PostgresRecords) -> bool:
    try:
        records.create_table()
    except StoreUnavailable:
        return False
    return True


@pytest.fixture(params=[ValkeyServer, Postgres])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    # One for each test: it is killed.
    yield from started(request.param)


@pytest.fixture
def records(server: Server) -> Iterator[Records]:
    one, close = made(server)
    until(lambda: works(one))
    yield one
    close()


def works(records: Records) -> bool:
    try:
        return records.begin("warm", Bid(1, b"x" * 16, 60.0, 60.0, False)).state in State  # noqa: FBT003
    except StoreUnavailable:
        return False


def took_s(work: Callable[[], object]) -> float:
    began_s = SYSTEM_CLOCK.monotonic_s()
    with pytest.raises(StoreUnavailable):
        work()
    return SYSTEM_CLOCK.monotonic_s() - began_s


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_nobody_waits_for_a_store_that_is_away_and_it_comes_back(
    server: Server, records: Records, how: str
) -> None:
    getattr(server, how)()
    bid = Bid(7, b"x" * 16, 60.0, 60.0, False)  # noqa: FBT003
    try:
        assert took_s(lambda: records.begin("a", bid)) < ENDURE_S
        assert took_s(lambda: records.finish("a", 7, b"x", 60.0)) < ENDURE_S
        assert took_s(lambda: records.renew("a", 7, 1.0)) < ENDURE_S

        async def in_a_task() -> None:
            with pytest.raises(StoreUnavailable):
                await records.abegin("a", bid)

        began_s = SYSTEM_CLOCK.monotonic_s()
        asyncio.run(closing(records, in_a_task))
        assert SYSTEM_CLOCK.monotonic_s() - began_s < ENDURE_S
        # Known to be away: a hundred callers wait no longer than a few would.
        began_s = SYSTEM_CLOCK.monotonic_s()
        for _ in range(100):
            with pytest.raises(StoreUnavailable):
                records.begin("a", bid)
        assert SYSTEM_CLOCK.monotonic_s() - began_s < 100 * TIMEOUT_S / 4
    finally:
        (server.start if how == "kill" else server.resume)()
    until(lambda: works(records))


async def closing(records: Records, part: Callable[[], object]) -> None:
    try:
        await part()  # type: ignore[misc]  # A coroutine function.
    finally:
        if isinstance(records, ValkeyRecords):
            side = records._valkey._loops.pop(asyncio.get_running_loop(), None)
            if side is not None:
                await side.close()


def test_requests_without_a_key_pass_and_others_are_told(server: Server, records: Records) -> None:
    kind: Kind = Wsgi(records=records)
    server.kill()
    assert kind.ask(headers={}).status == 201
    reply = kind.ask()
    assert (reply.status, reply.kind) == (503, "store-unavailable")
    assert len(kind.asked) == 1


def test_no_error_shows_the_password() -> None:
    port = free_port()
    records = PostgresRecords(f"postgresql://ada:hunter2@127.0.0.1:{port}/shop", timeout_s=30.0)
    with pytest.raises(StoreUnavailable) as caught:
        records.release("a", 1)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert f"127.0.0.1:{port}" in str(caught.value)
    records.close()
