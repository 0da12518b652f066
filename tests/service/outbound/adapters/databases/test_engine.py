"""What can be said of engines without a server."""

import pytest
from sqlalchemy import create_engine, text

from mainstay import Bulkhead, Deadline, Policy, Retry
from mainstay.core.errors import ConfigInvalid, PolicyMisused
from mainstay.service.outbound.adapters.databases import in_transaction, sqlalchemy_engine


def test_the_defaults_are_those_of_the_starter_pack() -> None:
    engine = sqlalchemy_engine(Policy(bulkhead=Bulkhead(limit=32)), "sqlite:///never-opened.db")
    pool = engine.pool
    assert pool.size() == 20  # type: ignore[attr-defined]  # A QueuePool's.
    assert (pool._recycle, pool._pre_ping) == (300, True)
    small = sqlalchemy_engine(Policy(bulkhead=Bulkhead(limit=5)), "sqlite:///never-opened.db")
    assert small.pool.size() == 5  # type: ignore[attr-defined]  # As above.


def test_mistakes_are_told() -> None:
    with pytest.raises(PolicyMisused, match="bulkhead"):
        sqlalchemy_engine(Policy(name="orders"), "sqlite://")
    with pytest.raises(ConfigInvalid, match="statement"):
        sqlalchemy_engine(Policy(bulkhead=Bulkhead()), "sqlite://", statement="soon")
    bare = create_engine("sqlite://")
    with pytest.raises(PolicyMisused, match="sqlalchemy_engine"):
        in_transaction(bare, lambda _: None)
    bare.dispose()


def test_no_part_answers_in_the_place_of_a_connection() -> None:
    """A fallback is for calls; half a transaction has no stand-in."""
    from mainstay import Fallback

    policy = Policy(
        bulkhead=Bulkhead(limit=1),
        retry=Retry(),
        deadline=Deadline("5s"),
        fallback=Fallback(value="instead"),
    )
    engine = sqlalchemy_engine(policy, "sqlite:///nowhere/at/all.db")
    with pytest.raises(ConnectionError), engine.connect():
        pass
    memory = sqlalchemy_engine(policy, "sqlite://")
    with memory.connect() as connection:
        assert connection.execute(text("select 1")).scalar() == 1
    memory.dispose()
    assert policy.stats().in_flight == 0


def test_a_whole_transaction_has_a_fallback() -> None:
    from mainstay import Fallback

    policy = Policy(bulkhead=Bulkhead(), fallback=Fallback(value="instead"))
    engine = sqlalchemy_engine(policy, "sqlite:///nowhere/at/all.db")
    assert in_transaction(engine, lambda _: "real") == "instead"
