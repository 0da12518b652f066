"""Records in PostgreSQL that are completed together with the work, by each kind of connection."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from tests.contract.stores.servers import Postgres, until

from mainstay.core.errors import PolicyMisused
from mainstay.core.idempotency import Bid, Claim, State
from mainstay.service.inbound.idempotency.answer import Answer, decode
from mainstay.service.inbound.idempotency.attempt import Attempt, AttemptSuperseded
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import PostgresRecords

pytestmark = pytest.mark.system

PRINT = b"\x07" * 16
Work = Callable[[Postgres, Attempt, bool], None]


def bid(token: int, *, rerun: bool = False) -> Bid:
    return Bid(token, PRINT, 60.0, 300.0, rerun)


def attempt(records: Records, record: str, token: int = 1) -> Attempt:
    return Attempt(
        key="k", record=record, token=token, fingerprint=PRINT, records=records, ttl_s=300.0
    )


class UndoIt(Exception):
    """Ends a transaction."""


def by_psycopg(server: Postgres, one: Attempt, undo: bool) -> None:  # noqa: FBT001
    with psycopg.connect(server.conninfo) as connection:
        connection.execute("insert into work values (%s)", [one.record])
        one.complete(connection, status=201, body=b"{}")
        if undo:
            raise UndoIt


def by_sqlalchemy(server: Postgres, one: Attempt, undo: bool) -> None:  # noqa: FBT001
    engine = sqlalchemy.create_engine(server.url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("insert into work values (%s)", (one.record,))
            one.complete(connection, status=201, body=b"{}")
            if undo:
                raise UndoIt
    finally:
        engine.dispose()


def by_session(server: Postgres, one: Attempt, undo: bool) -> None:  # noqa: FBT001
    engine = sqlalchemy.create_engine(server.url)
    try:
        with Session(engine) as session, session.begin():
            session.execute(sqlalchemy.text("insert into work values (:r)"), {"r": one.record})
            one.complete(session, status=201, body=b"{}")
            if undo:
                raise UndoIt
    finally:
        engine.dispose()


def by_async_psycopg(server: Postgres, one: Attempt, undo: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(server.conninfo) as connection:
            await connection.execute("insert into work values (%s)", [one.record])
            await one.acomplete(connection, status=201, body=b"{}")
            if undo:
                raise UndoIt

    asyncio.run(work())


def by_async_session(server: Postgres, one: Attempt, undo: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        engine = create_async_engine(server.url)
        try:
            async with AsyncSession(engine) as session, session.begin():
                text = sqlalchemy.text("insert into work values (:r)")
                await session.execute(text, {"r": one.record})
                await one.acomplete(session, status=201, body=b"{}")
                if undo:
                    raise UndoIt
        finally:
            await engine.dispose()

    asyncio.run(work())


WORKS = [by_psycopg, by_sqlalchemy, by_session, by_async_psycopg, by_async_session]


@pytest.fixture
def table(postgres_server: Postgres, postgres_records: Records) -> None:
    with psycopg.connect(postgres_server.conninfo) as connection:
        connection.execute("create table if not exists work (record text)")


def rows(server: Postgres, record: str) -> int:
    with psycopg.connect(server.conninfo) as connection:
        found = connection.execute("select count(*) from work where record = %s", [record])
        return int((found.fetchone() or (0,))[0])


@pytest.mark.parametrize("work", WORKS)
def test_work_and_answer_are_both_there(
    postgres_server: Postgres, postgres_records: Records, table: None, record: str, work: Work
) -> None:
    postgres_records.begin(record, bid(1))
    work(postgres_server, attempt(postgres_records, record), False)  # noqa: FBT003
    claim = postgres_records.begin(record, bid(2))
    assert claim.state is State.DONE
    assert decode(claim.answer or b"") == Answer(
        status=201, headers=((b"content-type", b"application/json"),), body=b"{}"
    )
    assert rows(postgres_server, record) == 1


@pytest.mark.parametrize("work", WORKS)
def test_work_and_answer_are_neither_there(
    postgres_server: Postgres, postgres_records: Records, table: None, record: str, work: Work
) -> None:
    postgres_records.begin(record, bid(1))
    with pytest.raises(UndoIt):
        work(postgres_server, attempt(postgres_records, record), True)  # noqa: FBT003
    assert postgres_records.begin(record, bid(2)).state is State.BUSY
    assert rows(postgres_server, record) == 0


@pytest.mark.parametrize("work", WORKS)
def test_who_was_superseded_can_do_no_work(
    postgres_server: Postgres, postgres_records: Records, table: None, record: str, work: Work
) -> None:
    postgres_records.begin(record, bid(1))
    postgres_records.renew(record, 1, 0.0)
    assert postgres_records.begin(record, bid(2, rerun=True)).state is State.OURS
    with pytest.raises(AttemptSuperseded):
        work(postgres_server, attempt(postgres_records, record), False)  # noqa: FBT003
    assert rows(postgres_server, record) == 0


def test_a_repetition_during_the_transaction_is_told_to_wait(
    postgres_server: Postgres, postgres_records: Records, record: str
) -> None:
    """The row is locked until the work ends; nobody waits for that."""
    brief = PostgresRecords(postgres_server.url, timeout_s=1.0)
    postgres_records.begin(record, bid(1))
    with psycopg.connect(postgres_server.conninfo) as connection:
        attempt(postgres_records, record).complete(connection, status=201, body=b"{}")
        # By the bound on locks, which is shorter than that on calls.
        assert brief.begin(record, bid(2)).state is State.BUSY
    assert brief.begin(record, bid(2)).state is State.DONE
    brief.close()


def test_done_may_be_said_before_how(
    postgres_server: Postgres, postgres_records: Records, record: str
) -> None:
    postgres_records.begin(record, bid(1))
    with psycopg.connect(postgres_server.conninfo) as connection:
        attempt(postgres_records, record).complete(connection, status=201, body=None)
    assert postgres_records.begin(record, bid(2)) == Claim(State.DONE, PRINT, b"")
    assert postgres_records.finish(record, 1, b"how", 300.0)
    assert postgres_records.begin(record, bid(2)).answer == b"how"


def test_other_stores_say_that_they_can_not(record: str) -> None:
    with pytest.raises(PolicyMisused, match="PostgreSQL"):
        attempt(MemoryRecords(), record).complete(None, status=201, body=b"")


def test_what_has_expired_is_swept(postgres_server: Postgres, postgres_records: Records) -> None:
    for number in range(300):
        postgres_records.begin(f"old-{number}", Bid(number + 1, PRINT, 0.001, 0.001, False))  # noqa: FBT003

    def left() -> int:
        for number in range(256):
            postgres_records.begin(f"new-{number}", bid(number + 1))
        with psycopg.connect(postgres_server.conninfo) as connection:
            found = connection.execute(
                "select count(*) from mainstay_idempotency where record like 'old-%'"
            )
            return int((found.fetchone() or (0,))[0])

    until(lambda: left() == 0)
