"""Makes asynchronous engines of SQLAlchemy; ``engine`` says what holds for both kinds."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

from mainstay.service.outbound.adapters.databases.async_gate import AsyncGate
from mainstay.service.outbound.adapters.databases.defaults import (
    CONNECT_S,
    RECYCLE_S,
    STATEMENT_S,
    pool_options,
    read,
    spelled,
)
from mainstay.service.outbound.adapters.databases.gate import Driver
from mainstay.service.outbound.adapters.databases.pool import AsyncPolicyPool
from mainstay.service.outbound.adapters.databases.statements import (
    as_it_is,
    guard_statements,
    keep_connections,
)
from mainstay.service.outbound.adapters.part import part
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.quantity import Duration


def async_sqlalchemy_engine(
    policy: Policy,
    url: str | URL,
    *,
    connect: Duration = CONNECT_S,
    statement: Duration = STATEMENT_S,
    recycle: Duration = RECYCLE_S,
    server_timeout: bool = True,
    **options: Any,
) -> AsyncEngine:
    """Return an ``AsyncEngine`` whose every checkout and statement is a call of the policy.

    Use it in one event loop, as any. What is interrupted, by its time or by who called, is undone
    at the server, and its connection is used again or closed, never as it was.

    Args:
        policy: Any, with a bulkhead, which bounds the connections too.
        url: As SQLAlchemy takes it; ``postgresql://`` is ``postgresql+psycopg://``. With any other
            driver statements are cut off as well, and the connection with them.
        connect: To get a connection that works; never longer than what is left.
        statement: For one statement, or a commit; never longer than what is left.
        recycle: How old a connection may be.
        server_timeout: As that of ``sqlalchemy_engine``.
        options: Further ones of ``create_async_engine``. Any: they are SQLAlchemy's.

    Raises:
        PartMissing: The driver is not installed.
        PolicyMisused: The policy has no bulkhead.
        ConfigInvalid: A timeout is no duration.
    """
    held = read("async_sqlalchemy_engine", connect=connect, statement=statement, recycle=recycle)
    made_url = spelled(url)
    pool_class: type[AsyncPolicyPool] = type("AsyncPolicyPool", (AsyncPolicyPool,), {})
    kept = {**pool_options(policy, made_url, held), "poolclass": pool_class}
    with part():
        engine = create_async_engine(made_url, **{**kept, **options})
    inner = engine.sync_engine
    driver = Driver(
        errors=inner.dialect.loaded_dbapi.Error, theirs=OperationalError, system=inner.dialect.name
    )
    pool_class.gate = gate = AsyncGate(policy, held.bounds, driver)

    def through(work: Callable[[], None], statement: str) -> None:
        await_only(gate.run(lambda: greenlet_spawn(work), statement))

    guard_statements(inner, through, as_it_is)
    known = inner.dialect.driver == "psycopg"
    keep_connections(inner, clean=known)
    if known:
        _bound_connections(inner, gate, server_timeout=server_timeout)
    return engine


def _bound_connections(engine: Engine, gate: AsyncGate, *, server_timeout: bool) -> None:
    """Let psycopg open connections that end cleanly when they are interrupted."""
    # Only here: psycopg is there, since the engine could be made.
    from mainstay.service.outbound.adapters.databases import async_psycopg  # noqa: PLC0415
    from mainstay.service.outbound.adapters.databases.psycopg import tell_timeout  # noqa: PLC0415

    kind: type[async_psycopg.BoundedConnection] = type(
        "BoundedConnection", (async_psycopg.BoundedConnection,), {"gate": gate}
    )

    # Any: arguments are the driver's.
    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _args: Any, options: dict[str, Any]) -> None:
        if server_timeout:
            tell_timeout(options, gate.bounds.statement_s)
        options["async_creator_fn"] = kind.connect
