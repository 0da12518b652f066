"""Makes engines of SQLAlchemy whose checkouts and statements are calls of a policy."""

from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from mainstay.service.outbound.adapters.databases import sqlite
from mainstay.service.outbound.adapters.databases.defaults import (
    CONNECT_S,
    RECYCLE_S,
    STATEMENT_S,
    pool_options,
    read,
    spelled,
)
from mainstay.service.outbound.adapters.databases.gate import Driver
from mainstay.service.outbound.adapters.databases.pool import PolicyPool
from mainstay.service.outbound.adapters.databases.statements import (
    as_it_is,
    guard_statements,
    keep_connections,
)
from mainstay.service.outbound.adapters.databases.sync_gate import SyncGate
from mainstay.service.outbound.adapters.part import part
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration


def sqlalchemy_engine(
    policy: Policy,
    url: str | URL,
    *,
    connect: Duration = CONNECT_S,
    statement: Duration = STATEMENT_S,
    recycle: Duration = RECYCLE_S,
    server_timeout: bool = True,
    **options: Any,
) -> Engine:
    """Return an engine whose every checkout and statement is a call of the policy.

    A connection that is out holds a place in the bulkhead until it is back. Getting one is tried
    again as the policy says; a statement never is, since a transaction can't be repeated halfway:
    see ``in_transaction`` for that.

    Args:
        policy: Any, with a bulkhead, which bounds the connections too.
        url: As SQLAlchemy takes it; ``postgresql://`` is ``postgresql+psycopg://``. Statements are
            cut off in time on that and on ``sqlite``; with another driver, give it timeouts by
            ``connect_args``.
        connect: To get a connection that works; never longer than what is left.
        statement: For one statement, or a commit; never longer than what is left.
        recycle: How old a connection may be.
        server_timeout: Whether PostgreSQL is told to end statements after ``statement`` too, so
            that it stops even when this process has died. It is sent when a connection is opened,
            which some connection poolers refuse.
        options: Further ones of ``create_engine``. Any: they are SQLAlchemy's.

    Raises:
        PartMissing: The driver is not installed.
        PolicyMisused: The policy has no bulkhead.
        ConfigInvalid: A timeout is no duration.
    """
    held = read("sqlalchemy_engine", connect=connect, statement=statement, recycle=recycle)
    made_url = spelled(url)
    pool_class: type[PolicyPool] = type("PolicyPool", (PolicyPool,), {})
    kept = {**pool_options(policy, made_url, held), "poolclass": pool_class}
    with part():
        engine = create_engine(made_url, **{**kept, **options})
    driver = Driver(
        errors=engine.dialect.loaded_dbapi.Error,
        theirs=OperationalError,
        system=engine.dialect.name,
    )
    pool_class.gate = gate = SyncGate(policy, held.bounds, driver)
    ready = sqlite.timely if engine.dialect.name == "sqlite" else as_it_is
    guard_statements(engine, gate.run, ready)
    # Nothing cuts a statement off here but the driver itself, which knows its connection.
    keep_connections(engine, clean=True)
    _bound_connections(engine, gate, server_timeout=server_timeout)
    return engine


def _bound_connections(engine: Engine, gate: SyncGate, *, server_timeout: bool) -> None:
    """Let the driver open connections that are bounded in time, if it is one that we know."""
    driver = engine.dialect.driver
    if driver == "psycopg":
        # Only here: psycopg is there, since the engine could be made.
        from mainstay.service.outbound.adapters.databases import psycopg  # noqa: PLC0415

        kind: type[psycopg.BoundedConnection] = type(
            "BoundedConnection", (psycopg.BoundedConnection,), {"gate": gate}
        )

        # Any: arguments are the driver's.
        @event.listens_for(engine, "do_connect")
        def connect(_dialect: Any, _record: Any, args: Any, options: dict[str, Any]) -> Any:
            if server_timeout:
                psycopg.tell_timeout(options, gate.bounds.statement_s)
            return kind.connect(*args, **options)

    elif driver == "pysqlite":
        factory = type("BoundedConnection", (sqlite.BoundedConnection,), {"gate": gate})

        @event.listens_for(engine, "do_connect")
        def connect_to_file(
            _dialect: Any, _record: Any, _args: Any, options: dict[str, Any]
        ) -> None:
            options["factory"] = factory
