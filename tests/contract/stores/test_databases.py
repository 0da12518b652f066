"""What engines keep beside the laws of all clients: on PostgreSQL, and on SQLite."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session
from tests.contract.stores.servers import LONG_S, Postgres, until

from mainstay import AttemptTimeout, Breaker, Bulkhead, Policy, Retry, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, BulkheadFull, DeadlineExceeded
from mainstay.service.outbound.adapters.databases import in_transaction, sqlalchemy_engine
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.events import Attempted, Retried
from mainstay.testing import Recorder

ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"

Make = Callable[..., Engine]


@pytest.fixture
def policy(recorder: Recorder) -> Policy:
    one = Policy(
        name="orders",
        bulkhead=Bulkhead(limit=4),
        breaker=Breaker(failures=50),
        retry=Retry(attempts=5, backoff=(0.001, 0.01), jitter="none", budget=None),
    )
    one.events.add(recorder)
    return one


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Engine] = []

    def engine(policy: Policy, url: str, **options: Any) -> Engine:
        one = sqlalchemy_engine(policy, url, **options)
        made.append(one)
        return one

    yield engine
    for one in made:
        one.dispose()


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'orders.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.url


@pytest.fixture
def table(url: str, make: Make) -> Iterator[str]:
    """A table with a unique name in it."""
    engine = make(Policy(name="setup", bulkhead=Bulkhead()), url)
    with engine.begin() as connection:
        connection.execute(text("drop table if exists orders"))
        connection.execute(text("create table orders (id integer primary key, name text unique)"))
    yield "orders"
    with engine.begin() as connection:
        connection.execute(text("drop table orders"))


def count(engine: Engine) -> int:
    with engine.connect() as connection:
        found = connection.execute(text("select count(*) from orders")).scalar()
    assert isinstance(found, int)
    return found


def scalar(engine: Engine, statement: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


def test_a_statement_is_cut_by_the_deadline(url: str, policy: Policy, make: Make) -> None:
    engine = make(policy, url)
    began_s = SYSTEM_CLOCK.monotonic_s()
    with deadline(0.3), pytest.raises(DeadlineExceeded) as caught:
        scalar(engine, ENDLESS)
    assert 0.29 <= SYSTEM_CLOCK.monotonic_s() - began_s < 5
    assert caught.value.begun is True
    assert isinstance(caught.value, OperationalError)
    assert scalar(engine, "select 1") == 1
    assert (policy.stats().in_flight, policy.stats().failures_in_a_row) == (0, 0)


def test_a_statement_is_cut_by_its_own_bound(url: str, policy: Policy, make: Make) -> None:
    engine = make(policy, url, statement=0.2)
    with pytest.raises(AttemptTimedOut) as caught:
        scalar(engine, ENDLESS)
    assert caught.value.after_s == 0.2
    assert policy.stats().failures_in_a_row == 1


def test_a_cut_statement_leaves_the_connection_usable(url: str, policy: Policy, make: Make) -> None:
    engine = make(policy, url, statement=0.2)
    with engine.connect() as connection:
        first = connection.connection.dbapi_connection
        with pytest.raises(AttemptTimedOut):
            connection.execute(text(ENDLESS))
        connection.rollback()
        assert connection.execute(text("select 1")).scalar() == 1
        assert connection.connection.dbapi_connection is first


def test_a_constraint_is_an_answer(
    url: str, table: str, policy: Policy, make: Make, recorder: Recorder
) -> None:
    engine = make(policy, url)
    insert = text("insert into orders (id, name) values (1, 'a')")
    with engine.begin() as connection:
        connection.execute(insert)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert)
    assert count(engine) == 1
    assert recorder.count(Attempted, outcome="failure") == 0
    assert recorder.count(Retried) == 0


def test_a_checkout_holds_its_place_until_it_is_back(url: str, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    engine = make(policy, url)
    with engine.connect(), engine.connect():
        assert policy.stats().in_flight == 2
        with pytest.raises(BulkheadFull):
            engine.connect()
    assert policy.stats().in_flight == 0
    engine.connect().close()


def test_connections_that_broke_give_their_places_back(url: str, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    engine = make(policy, url)
    for _ in range(3):
        with engine.connect() as connection:
            connection.invalidate()
        with engine.connect() as connection:
            connection.detach()
    assert policy.stats().in_flight == 0
    with engine.connect() as connection:
        engine.dispose()
        connection.invalidate()
    assert policy.stats().in_flight == 0
    engine.connect().close()


def test_the_wait_for_a_connection_ends_at_the_deadline(url: str, make: Make) -> None:
    engine = make(Policy(name="orders", bulkhead=Bulkhead(limit=1, queue=5, wait=LONG_S)), url)
    with engine.connect(), deadline(0.2), pytest.raises(DeadlineExceeded) as caught:
        engine.connect()
    assert caught.value.begun is False


def test_a_view_follows_a_wider_bulkhead(url: str, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    engine = make(policy, url)
    policy.update(replaced(policy, limit=3))
    with engine.connect(), engine.connect(), engine.connect():
        assert policy.stats().in_flight == 3


def replaced(policy: Policy, *, limit: int) -> Any:
    from dataclasses import replace

    return replace(policy.plan.parts, bulkhead=Bulkhead(limit=limit))


def test_a_transaction_is_never_retried_halfway(
    url: str, table: str, policy: Policy, make: Make, recorder: Recorder
) -> None:
    engine = make(policy, url, statement=0.2)
    with pytest.raises(AttemptTimedOut), engine.begin() as connection:  # noqa: PT012  The order.
        connection.execute(text("insert into orders (id, name) values (1, 'a')"))
        connection.execute(text(ENDLESS))
    assert recorder.count(Retried) == 0
    assert count(engine) == 0


def test_a_unit_of_work_is_run_again_as_a_whole(
    url: str, table: str, policy: Policy, make: Make
) -> None:
    engine = make(policy, url, statement=0.2)
    runs: list[int] = []

    def work(connection: Connection) -> str:
        runs.append(1)
        connection.execute(text("insert into orders (id, name) values (1, 'a')"))
        if len(runs) < 3:
            connection.execute(text(ENDLESS))
        return "done"

    assert in_transaction(engine, work) == "done"
    assert (len(runs), count(engine), policy.stats().in_flight) == (3, 1, 0)


def test_an_answer_within_a_unit_of_work_is_raised_at_once(
    url: str, table: str, policy: Policy, make: Make
) -> None:
    engine = make(policy, url)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("insert into orders (id, name) values (1, 'a')"))
        connection.execute(text("insert into orders (id, name) values (1, 'b')"))

    with pytest.raises(IntegrityError):
        in_transaction(engine, work)
    with pytest.raises(ZeroDivisionError):
        in_transaction(engine, lambda _: 1 / 0, idempotent=True)
    assert (len(runs), count(engine)) == (1, 0)


def test_a_unit_of_work_may_be_a_session(url: str, table: str, policy: Policy, make: Make) -> None:
    engine = make(policy, url)

    def work(connection: Connection) -> int | None:
        with Session(connection) as session:
            session.execute(text("insert into orders (id, name) values (7, 'a')"))
            found: int | None = session.scalar(text("select id from orders"))
            return found

    assert in_transaction(engine, work) == 7
    assert count(engine) == 1


def test_many_threads_share_an_engine(url: str, table: str, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=4, queue=50, wait=LONG_S))
    engine = make(policy, url)
    errors: list[BaseException] = []

    def reads() -> None:
        try:
            for _ in range(10):
                assert count(engine) == 0
        except (AssertionError, DBAPIError) as error:
            errors.append(error)

    threads = [threading.Thread(target=reads) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert errors == []
    assert policy.stats().in_flight == 0
    assert engine.pool.checkedin() + engine.pool.checkedout() <= 4  # type: ignore[attr-defined]  # A QueuePool's.


def test_a_lost_connection_runs_the_unit_again(
    postgres: Postgres, policy: Policy, make: Make
) -> None:
    engine = make(policy, postgres.url)
    runs: list[int] = []

    def work(connection: Connection) -> int | None:
        runs.append(1)
        if len(runs) == 1:
            end_backend(postgres, connection)
        found: int | None = connection.execute(text("select 5")).scalar()
        return found

    assert in_transaction(engine, work) == 5
    assert len(runs) == 2


def test_a_connection_lost_in_the_commit_is_told_and_not_repeated(
    postgres: Postgres, policy: Policy, make: Make
) -> None:
    """Nobody knows whether it took effect. Only who says that it is idempotent gets it again."""
    engine = make(policy, postgres.url)
    runs: list[int] = []

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("select 5"))
        if len(runs) == 1:
            end_backend(postgres, connection)

    with pytest.raises(ConnectionLost):
        in_transaction(engine, work)
    assert len(runs) == 1
    runs.clear()
    in_transaction(engine, work, idempotent=True)
    assert len(runs) == 2


def end_backend(postgres: Postgres, connection: Connection) -> None:
    """Let the server end a connection, and wait until it has."""
    import psycopg

    pid = connection.execute(text("select pg_backend_pid()")).scalar()
    with psycopg.connect(postgres.conninfo, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (pid,))

        def gone() -> bool:
            found = other.execute("select 1 from pg_stat_activity where pid = %s", (pid,))
            return found.fetchone() is None

        until(gone)


def test_transactions_in_each_others_way_run_again(
    postgres: Postgres, policy: Policy, make: Make
) -> None:
    """Serialization failures are no failures of the database; the unit is repeated."""
    engine = make(policy, postgres.url, isolation_level="SERIALIZABLE")
    with engine.begin() as connection:
        connection.execute(text("drop table if exists sums"))
        connection.execute(text("create table sums (n integer)"))
        connection.execute(text("insert into sums values (0)"))
    runs: list[int] = []

    def other() -> None:
        with engine.begin() as connection:
            connection.execute(text("update sums set n = n + 10"))

    def work(connection: Connection) -> None:
        runs.append(1)
        connection.execute(text("select n from sums")).scalar()
        if len(runs) == 1:
            other()
        connection.execute(text("update sums set n = n + 1"))

    in_transaction(engine, work)
    assert len(runs) == 2
    assert scalar(engine, "select n from sums") == 11
    assert policy.stats().failures_in_a_row == 0


def test_a_server_that_stands_still_ends_at_the_deadline_too(
    postgres: Postgres, policy: Policy, make: Make
) -> None:
    """It can't even be asked to stop: the connection is given up, and a new one is opened."""
    engine = make(policy, postgres.url)
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        postgres.pause()
        try:
            with deadline(0.3), pytest.raises(DeadlineExceeded):
                connection.execute(text("select 1"))
            with deadline(0.3), pytest.raises(DeadlineExceeded):
                engine.connect()
        finally:
            postgres.resume()
    assert scalar(engine, "select 1") == 1
    assert policy.stats().in_flight == 0


def test_postgresql_itself_knows_the_bound(postgres: Postgres, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead())
    assert scalar(make(policy, postgres.url, statement="7s"), "show statement_timeout") == "7s"
    without = make(policy, postgres.url, statement="7s", server_timeout=False)
    assert scalar(without, "show statement_timeout") == "0"


def test_statements_that_hang_open_the_breaker_though_connections_are_fine(
    postgres: Postgres, make: Make
) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(), breaker=Breaker(failures=3))
    engine = make(policy, postgres.url, statement=0.1)
    for _ in range(3):
        with pytest.raises(AttemptTimedOut):
            scalar(engine, "select pg_sleep(5)")
    assert policy.stats().state == "open"


def test_an_attempt_timeout_holds_for_each_statement(postgres: Postgres, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(), attempt_timeout=AttemptTimeout(within=0.2))
    engine = make(policy, postgres.url)
    with engine.connect() as connection:
        for _ in range(3):
            connection.execute(text("select pg_sleep(0.1)"))
        with pytest.raises(AttemptTimedOut) as caught:
            connection.execute(text("select pg_sleep(5)"))
    assert caught.value.after_s == 0.2


def test_a_fetch_of_a_streamed_result_is_cut_too(
    postgres: Postgres, policy: Policy, make: Make
) -> None:
    engine = make(policy, postgres.url)
    rows = text("select pg_sleep(0.1) from generate_series(1, 100)")
    seen = 0
    began_s = SYSTEM_CLOCK.monotonic_s()
    with engine.connect() as connection, deadline(1.0), pytest.raises(OperationalError):  # noqa: PT012  One by one.
        for _ in connection.execution_options(yield_per=1).execute(rows):
            seen += 1
    assert seen >= 1
    assert SYSTEM_CLOCK.monotonic_s() - began_s < 8
    assert scalar(engine, "select 1") == 1


def test_the_wait_for_a_lock_of_sqlite_ends_at_the_deadline(
    tmp_path: Path, policy: Policy, make: Make
) -> None:
    path = tmp_path / "orders.db"
    engine = make(policy, f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("create table orders (id integer)"))
    other = sqlite3.connect(path)
    try:
        other.execute("begin immediate")
        began_s = SYSTEM_CLOCK.monotonic_s()
        with deadline(0.3), pytest.raises(DeadlineExceeded), engine.begin() as connection:
            connection.execute(text("insert into orders values (1)"))
        assert SYSTEM_CLOCK.monotonic_s() - began_s < 5
    finally:
        other.close()
    with engine.begin() as connection:
        connection.execute(text("insert into orders values (1)"))


def test_a_database_in_memory_is_one(make: Make) -> None:
    engine = make(Policy(name="orders", bulkhead=Bulkhead()), "sqlite://")
    with engine.begin() as connection:
        connection.execute(text("create table orders (id integer)"))
    assert count(engine) == 0


def test_the_callers_patience_while_connecting_is_no_failure(
    postgres: Postgres, make: Make
) -> None:
    """Law 4: only the engine's own bound says something about the database."""
    policy = Policy(name="orders", bulkhead=Bulkhead(), breaker=Breaker())
    engine = make(policy, postgres.url, connect=0.3)
    postgres.pause()
    try:
        with deadline(0.1), pytest.raises(DeadlineExceeded):
            engine.connect()
        assert policy.stats().failures_in_a_row == 0
        with pytest.raises(AttemptTimedOut):
            engine.connect()
        assert policy.stats().failures_in_a_row == 1
    finally:
        postgres.resume()
