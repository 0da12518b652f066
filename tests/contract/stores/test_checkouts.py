"""What engines of both kinds keep about getting connections, and giving them back."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError
from tests.contract.stores.conftest import Make, on_postgresql, on_threads
from tests.contract.stores.databases import SyncDatabase
from tests.contract.stores.servers import LONG_S, Postgres

from mainstay import Breaker, Bulkhead, Policy, deadline
from mainstay.core.errors import AttemptTimedOut, BulkheadFull, DeadlineExceeded


def test_a_checkout_holds_its_place_until_it_is_back(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    database = make(policy)
    with database.connect(), database.connect():
        assert policy.stats().in_flight == 2
        with pytest.raises(BulkheadFull), database.connect():
            pass
    assert policy.stats().in_flight == 0
    with database.connect():
        pass


def test_connections_that_broke_give_their_places_back(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    database = make(policy)
    for _ in range(3):
        with database.connect() as connection:
            connection.invalidate()
    assert policy.stats().in_flight == 0
    with database.connect() as connection:
        database.dispose()
        connection.invalidate()
    assert policy.stats().in_flight == 0
    with database.connect():
        pass


@on_threads
def test_a_connection_that_is_detached_gives_its_place_back(make: Make) -> None:
    """Asynchronous connections can't be detached: SQLAlchemy could not close them."""
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    database = make(policy)
    for _ in range(3):
        with database.connect() as connection:
            connection.detach()
    assert policy.stats().in_flight == 0


def test_the_wait_for_a_connection_ends_at_the_deadline(make: Make) -> None:
    database = make(Policy(name="orders", bulkhead=Bulkhead(limit=1, queue=5, wait=LONG_S)))
    with (
        database.connect(), deadline(0.2), pytest.raises(DeadlineExceeded) as caught,
        database.connect(),
    ):  # fmt: skip
        pass
    assert caught.value.begun is False


def test_an_engine_follows_a_wider_bulkhead(make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    database = make(policy)
    policy.update(replace(policy.plan.parts, bulkhead=Bulkhead(limit=3)))
    with database.connect(), database.connect(), database.connect():
        assert policy.stats().in_flight == 3


@on_threads
def test_many_threads_share_an_engine(table: None, make: Make) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=4, queue=50, wait=LONG_S))
    database = make(policy)
    errors: list[BaseException] = []

    def reads() -> None:
        try:
            for _ in range(10):
                assert database.count() == 0
        except (AssertionError, DBAPIError) as error:
            errors.append(error)

    threads = [threading.Thread(target=reads) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG_S)
    assert errors == []
    assert policy.stats().in_flight == 0
    assert database.pool.checkedin() + database.pool.checkedout() <= 4


def test_a_database_in_memory_is_one() -> None:
    database = SyncDatabase(Policy(name="orders", bulkhead=Bulkhead()), "sqlite://")
    with database.begin() as connection:
        connection.execute("create table orders (id integer)")
    assert database.count() == 0
    database.close()


@on_postgresql
def test_the_callers_patience_while_connecting_is_no_failure(
    postgres: Postgres, make: Make
) -> None:
    """Law 4: only the engine's own bound says something about the database."""
    policy = Policy(name="orders", bulkhead=Bulkhead(), breaker=Breaker())
    database = make(policy, connect=0.3)
    postgres.pause()
    try:
        with deadline(0.1), pytest.raises(DeadlineExceeded), database.connect():
            pass
        assert policy.stats().failures_in_a_row == 0
        with pytest.raises(AttemptTimedOut), database.connect():
            pass
        assert policy.stats().failures_in_a_row == 1
    finally:
        postgres.resume()
