"""What engines of both kinds keep about transactions: all of it again, or none of it."""

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from tests.contract.stores.conftest import Make, on_postgresql
from tests.contract.stores.databases import ENDLESS, end_backend
from tests.contract.stores.servers import Postgres

from mainstay import Policy
from mainstay.core.errors import AttemptTimedOut
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.events import Retried
from mainstay.testing import Recorder


def test_a_transaction_is_never_retried_halfway(
    table: None, orders: Policy, make: Make, recorder: Recorder
) -> None:
    database = make(orders, statement=0.2)
    with pytest.raises(AttemptTimedOut), database.begin() as connection:  # noqa: PT012  The order.
        connection.execute("insert into orders (id, name) values (1, 'a')")
        connection.execute(ENDLESS)
    assert recorder.count(Retried) == 0
    assert database.count() == 0


def test_a_unit_of_work_is_run_again_as_a_whole(table: None, orders: Policy, make: Make) -> None:
    database = make(orders, statement=0.2)
    runs: list[int] = []

    def work(connection: Connection) -> str:
        runs.append(1)
        connection.execute(text("insert into orders (id, name) values (1, 'a')"))
        if len(runs) < 3:
            connection.execute(text(ENDLESS))
        return "done"

    assert database.in_transaction(work) == "done"
    assert (len(runs), database.count(), orders.stats().in_flight) == (3, 1, 0)


def test_an_answer_within_a_unit_of_work_is_raised_at_once(
    table: None, orders: Policy, make: Make
) -> None:
    database = make(orders)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("insert into orders (id, name) values (1, 'a')"))
        connection.execute(text("insert into orders (id, name) values (1, 'b')"))

    with pytest.raises(IntegrityError):
        database.in_transaction(work)
    with pytest.raises(ZeroDivisionError):
        database.in_transaction(lambda _: 1 / 0, idempotent=True)
    assert (len(runs), database.count()) == (1, 0)


def test_a_unit_of_work_may_be_a_session(table: None, orders: Policy, make: Make) -> None:
    database = make(orders)

    def work(connection: Connection) -> int | None:
        with Session(connection) as session:
            session.execute(text("insert into orders (id, name) values (7, 'a')"))
            found: int | None = session.scalar(text("select id from orders"))
            return found

    assert database.in_transaction(work) == 7
    assert database.count() == 1


@on_postgresql
def test_a_lost_connection_runs_the_unit_again(
    postgres: Postgres, orders: Policy, make: Make
) -> None:
    database = make(orders)
    runs: list[int] = []

    def work(connection: Connection) -> int | None:
        runs.append(1)
        if len(runs) == 1:
            end_backend(postgres, connection)
        found: int | None = connection.execute(text("select 5")).scalar()
        return found

    assert database.in_transaction(work) == 5
    assert len(runs) == 2


@on_postgresql
def test_a_connection_lost_in_the_commit_is_told_and_not_repeated(
    postgres: Postgres, orders: Policy, make: Make
) -> None:
    """Nobody knows whether it took effect. Only who says that it is idempotent gets it again."""
    database = make(orders)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("select 5"))
        if len(runs) == 1:
            end_backend(postgres, connection)

    with pytest.raises(ConnectionLost):
        database.in_transaction(work)
    assert len(runs) == 1
    runs.clear()
    database.in_transaction(work, idempotent=True)
    assert len(runs) == 2


@on_postgresql
def test_transactions_in_each_others_way_run_again(
    postgres: Postgres, orders: Policy, make: Make
) -> None:
    """Serialization failures are no failures of the database; the unit is repeated."""
    database = make(orders, isolation_level="SERIALIZABLE")
    with database.begin() as opened:
        opened.execute("drop table if exists sums")
        opened.execute("create table sums (n integer)")
        opened.execute("insert into sums values (0)")
    runs: list[int] = []

    def other() -> None:
        with psycopg.connect(postgres.conninfo) as connection:
            connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            connection.execute("update sums set n = n + 10")

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("select n from sums")).scalar()
        if len(runs) == 1:
            other()
        connection.execute(text("update sums set n = n + 1"))

    database.in_transaction(work)
    assert len(runs) == 2
    assert database.scalar("select n from sums") == 11
    assert orders.stats().failures_in_a_row == 0
