"""Makes engines of SQLAlchemy whose checkouts and statements are calls of a policy."""

from typing import Any

from mainstay.core.errors import MainstayError, PartMissing
from mainstay.service.outbound.adapters.databases import sqlite
from mainstay.service.outbound.adapters.databases.gate import Bounds, Driver, Gate
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration, Options

try:
    import sqlalchemy
except ModuleNotFoundError as error:
    raise PartMissing("sqlalchemy is not installed: pip install sqlalchemy") from error

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor

# Need SQLAlchemy itself, so they come after the sentence above.
from mainstay.service.outbound.adapters.databases.pool import PolicyPool

POOL_SIZE = 20
"""Connections that stay open when nobody needs them. Starter pack: 20."""

RECYCLE_S = 300.0
"""A connection older than this is replaced before it is used again. Starter pack: 300 s."""

CONNECT_S = 3.0
"""Starter pack, "Timeout", by_service: database connect 3s."""

STATEMENT_S = 10.0
"""Starter pack, "Timeout", by_service: database query 10s."""


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
        url: As SQLAlchemy takes it. Statements are cut off in time on ``postgresql+psycopg`` and
            ``sqlite``; with another driver, give it timeouts by ``connect_args``.
        connect: To get a connection that works; never longer than what is left.
        statement: For one statement, or a commit; never longer than what is left.
        recycle: How old a connection may be.
        server_timeout: Whether PostgreSQL is told to end statements after ``statement`` too, so
            that it stops even when this process has died. It is sent when a connection is opened,
            which some connection poolers refuse.
        options: Further ones of ``create_engine``. Any: they are SQLAlchemy's.

    Raises:
        PartMissing: SQLAlchemy, or the driver, is not installed.
        PolicyMisused: The policy has no bulkhead.
        ConfigInvalid: A timeout is no duration.
    """
    read = Options("sqlalchemy_engine")
    bounds = Bounds(
        connect_s=read.seconds("connect", connect), statement_s=read.seconds("statement", statement)
    )
    recycle_s = read.seconds("recycle", recycle)
    read.done()
    url = make_url(url)
    pool_class: type[PolicyPool] = type("PolicyPool", (PolicyPool,), {})
    kept = {
        "pool_size": min(POOL_SIZE, bulkhead_of(policy, "a database engine")),
        # Beyond those that are kept, the bulkhead is the bound.
        "max_overflow": -1,
        "pool_recycle": int(recycle_s),
        "pool_pre_ping": True,
        "poolclass": pool_class,
    }
    if _in_memory(url):
        # Each connection would be a database of its own.
        kept |= {"pool_size": 1, "connect_args": {"check_same_thread": False}}
    try:
        engine = create_engine(url, **{**kept, **options})
    except ModuleNotFoundError as error:
        raise PartMissing(f"{error.name} is not installed: pip install {error.name}") from error
    driver = Driver(
        errors=engine.dialect.loaded_dbapi.Error, theirs=sqlalchemy.exc.OperationalError
    )
    pool_class.gate = gate = Gate(policy, bounds, driver)
    _listen(engine, gate)
    _bound_connections(engine, gate, server_timeout=server_timeout)
    return engine


def _in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


def _listen(engine: Engine, gate: Gate) -> None:
    """Put the gate around statements."""
    timely = sqlite.timely if engine.dialect.name == "sqlite" else _as_it_is

    # Any: statements and parameters are SQLAlchemy's.
    @event.listens_for(engine, "do_execute")
    def execute(
        cursor: DBAPICursor, statement: str, values: Any, context: ExecutionContext
    ) -> bool:
        gate.run(lambda: context.dialect.do_execute(timely(cursor), statement, values, context))
        return True

    @event.listens_for(engine, "do_executemany")
    def execute_many(
        cursor: DBAPICursor, statement: str, values: Any, context: ExecutionContext
    ) -> bool:
        gate.run(lambda: context.dialect.do_executemany(timely(cursor), statement, values, context))
        return True

    @event.listens_for(engine, "do_execute_no_params")
    def execute_plain(cursor: DBAPICursor, statement: str, context: ExecutionContext) -> bool:
        gate.run(lambda: context.dialect.do_execute_no_params(timely(cursor), statement, context))
        return True

    @event.listens_for(engine, "handle_error")
    def note_closed(context: ExceptionContext) -> None:
        # Of the driver's errors, SQLAlchemy knows whether the connection lives. Of ours it takes a
        # TimeoutError for the end of the task, and would give up a connection that is fine.
        connection = context.connection
        if not isinstance(context.original_exception, MainstayError) or connection is None:
            return
        if not connection.invalidated:
            raw = connection.connection.dbapi_connection
            context.is_disconnect = bool(getattr(raw, "closed", False))
            context.invalidate_pool_on_disconnect = False


def _as_it_is(cursor: DBAPICursor) -> DBAPICursor:
    return cursor


def _bound_connections(engine: Engine, gate: Gate, *, server_timeout: bool) -> None:
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
                most_ms = int(gate.bounds.statement_s * 1000)
                said = options.get("options", "")
                options["options"] = f"{said} -c statement_timeout={most_ms}".strip()
            return kind.connect(*args, **options)

    elif driver == "pysqlite":
        factory = type("BoundedConnection", (sqlite.BoundedConnection,), {"gate": gate})

        @event.listens_for(engine, "do_connect")
        def connect_to_file(
            _dialect: Any, _record: Any, _args: Any, options: dict[str, Any]
        ) -> None:
            options["factory"] = factory
