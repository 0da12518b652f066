"""What engines of both kinds keep about statements: their time, and what their errors mean."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from tests.contract.stores.conftest import Make, on_postgresql
from tests.contract.stores.databases import ENDLESS, SyncDatabase
from tests.contract.stores.servers import Postgres

from mainstay import AttemptTimeout, Breaker, Bulkhead, Policy, Retry, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder


def test_a_statement_is_cut_by_the_deadline(orders: Policy, make: Make) -> None:
    database = make(orders)
    began_s = SYSTEM_CLOCK.monotonic_s()
    with deadline(0.3), pytest.raises(DeadlineExceeded) as caught:
        database.scalar(ENDLESS)
    assert 0.29 <= SYSTEM_CLOCK.monotonic_s() - began_s < 5
    assert caught.value.begun is True
    assert isinstance(caught.value, OperationalError)
    assert database.scalar("select 1") == 1
    assert (orders.stats().in_flight, orders.stats().failures_in_a_row) == (0, 0)


def test_a_statement_is_cut_by_its_own_bound(orders: Policy, make: Make) -> None:
    database = make(orders, statement=0.2)
    with pytest.raises(AttemptTimedOut) as caught:
        database.scalar(ENDLESS)
    assert caught.value.after_s == 0.2
    assert orders.stats().failures_in_a_row == 1


@pytest.mark.usefixtures("patience")
def test_a_cut_statement_leaves_the_connection_usable(orders: Policy, make: Make) -> None:
    database = make(orders, statement=0.2)
    with database.connect() as connection:
        first = connection.raw()
        with pytest.raises(AttemptTimedOut):
            connection.execute(ENDLESS)
        connection.rollback()
        assert connection.scalar("select 1") == 1
        assert connection.raw() is first


def test_errors_and_connections_are_judged_by_nobody(orders: Policy, make: Make) -> None:
    shown: list[object] = []

    def judge(result: object) -> bool:
        shown.append(result)
        return True

    retry = Retry(attempts=2, budget=None, on_result=judge)
    breaker = Breaker(failures=50, on_result=judge)
    orders.update(replace(orders.plan.parts, retry=retry, breaker=breaker))
    database = make(orders)
    with database.connect() as connection, pytest.raises(DBAPIError):
        connection.execute("select * from missing")
    # What is done on a connection by itself has no result: rows are read afterwards.
    assert all(one is None for one in shown)


def test_a_constraint_is_an_answer(
    table: None, orders: Policy, make: Make, recorder: Recorder
) -> None:
    database = make(orders)
    insert = "insert into orders (id, name) values (1, 'a')"
    with database.begin() as connection:
        connection.execute(insert)
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(insert)
    assert database.count() == 1
    assert recorder.count(Attempted, outcome="failure") == 0
    assert recorder.count(Retried) == 0


@on_postgresql
def test_a_server_that_stands_still_ends_at_the_deadline_too(
    postgres: Postgres, orders: Policy, make: Make
) -> None:
    """It can't even be asked to stop: the connection is given up, and a new one is opened."""
    database = make(orders)
    with database.connect() as connection:
        connection.execute("select 1")
        postgres.pause()
        try:
            with deadline(0.3), pytest.raises(DeadlineExceeded):
                connection.execute("select 1")
            with deadline(0.3), pytest.raises(DeadlineExceeded), database.connect():
                pass
        finally:
            postgres.resume()
    assert database.scalar("select 1") == 1
    assert orders.stats().in_flight == 0


@on_postgresql
def test_postgresql_itself_knows_the_bound(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead())
    assert make(policy, statement="7s").scalar("show statement_timeout") == "7s"
    without = make(policy, statement="7s", server_timeout=False)
    assert without.scalar("show statement_timeout") == "0"


@on_postgresql
def test_statements_that_hang_open_the_breaker_though_connections_are_fine(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(), breaker=Breaker(failures=3))
    database = make(policy, statement=0.1)
    for _ in range(3):
        with pytest.raises(AttemptTimedOut):
            database.scalar("select pg_sleep(5)")
    assert policy.stats().state == "open"


@on_postgresql
def test_an_attempt_timeout_holds_for_each_statement(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(), attempt_timeout=AttemptTimeout(within=0.2))
    database = make(policy)
    with database.connect() as connection:
        for _ in range(3):
            connection.execute("select pg_sleep(0.1)")
        with pytest.raises(AttemptTimedOut) as caught:
            connection.execute("select pg_sleep(5)")
    assert caught.value.after_s == 0.2


def test_a_fetch_of_a_streamed_result_is_cut_too(postgres: Postgres, orders: Policy) -> None:
    database = SyncDatabase(orders, postgres.url)
    rows = text("select pg_sleep(0.1) from generate_series(1, 100)")
    seen = 0
    began_s = SYSTEM_CLOCK.monotonic_s()
    with (  # noqa: PT012  One by one.
        database.engine.connect() as connection, deadline(1.0), pytest.raises(OperationalError),
    ):  # fmt: skip
        for _ in connection.execution_options(yield_per=1).execute(rows):
            seen += 1
    assert seen >= 1
    assert SYSTEM_CLOCK.monotonic_s() - began_s < 8
    assert database.scalar("select 1") == 1
    database.close()


def test_the_wait_for_a_lock_of_sqlite_ends_at_the_deadline(tmp_path: Path, orders: Policy) -> None:
    path = tmp_path / "orders.db"
    database = SyncDatabase(orders, f"sqlite:///{path}")
    with database.begin() as connection:
        connection.execute("create table orders (id integer)")
    other = sqlite3.connect(path)
    try:
        other.execute("begin immediate")
        began_s = SYSTEM_CLOCK.monotonic_s()
        with deadline(0.3), pytest.raises(DeadlineExceeded), database.begin() as connection:
            connection.execute("insert into orders values (1)")
        assert SYSTEM_CLOCK.monotonic_s() - began_s < 5
    finally:
        other.close()
    with database.begin() as connection:
        connection.execute("insert into orders values (1)")
    database.close()
