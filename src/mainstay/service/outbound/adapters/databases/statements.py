"""Puts a gate around the statements of an engine, whichever kind it is."""

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor

from mainstay.core.errors import MainstayError

Through = Callable[[Callable[[], None], str], object]
"""Runs a statement through the gate, whose text is for who is told of it."""


def guard_statements(
    engine: Engine, through: Through, ready: Callable[[DBAPICursor], DBAPICursor]
) -> None:
    """Let each statement of an engine be run by ``through``.

    Args:
        engine: Any; that within an asynchronous one.
        through: See above.
        ready: Returns the cursor, ready for a statement that is bounded in time.
    """

    # Any: statements and parameters are SQLAlchemy's.
    @event.listens_for(engine, "do_execute")
    def execute(
        cursor: DBAPICursor, statement: str, values: Any, context: ExecutionContext
    ) -> bool:
        through(
            lambda: context.dialect.do_execute(ready(cursor), statement, values, context), statement
        )
        return True

    @event.listens_for(engine, "do_executemany")
    def execute_many(
        cursor: DBAPICursor, statement: str, values: Any, context: ExecutionContext
    ) -> bool:
        through(
            lambda: context.dialect.do_executemany(ready(cursor), statement, values, context),
            statement,
        )
        return True

    @event.listens_for(engine, "do_execute_no_params")
    def execute_plain(cursor: DBAPICursor, statement: str, context: ExecutionContext) -> bool:
        through(
            lambda: context.dialect.do_execute_no_params(ready(cursor), statement, context),
            statement,
        )
        return True


def keep_connections(engine: Engine, *, clean: bool) -> None:
    """Let an engine keep connections on which nothing is wrong, whatever was raised.

    Of the driver's errors, SQLAlchemy knows whether the connection lives. Of ours it takes a
    TimeoutError for the end of the task, as it does a cancellation, and gives the connection up.

    Args:
        engine: Any; that within an asynchronous one.
        clean: Whether the driver leaves a connection clean, or closed, when a statement is cut
            off; else the engine gives it up then.
    """

    @event.listens_for(engine, "handle_error")
    def look(context: ExceptionContext) -> None:
        error, connection = context.original_exception, context.connection
        cancelled, ours = isinstance(error, CancelledError), isinstance(error, MainstayError)
        if connection is None or connection.invalidated or not (cancelled or ours):
            return
        cut = cancelled or isinstance(error, TimeoutError)
        raw = connection.connection.dbapi_connection
        context.is_disconnect = bool(getattr(raw, "closed", False)) or (cut and not clean)
        context.invalidate_pool_on_disconnect = False


def as_it_is(cursor: DBAPICursor) -> DBAPICursor:
    """Return the cursor: its driver bounds statements by itself, or not at all."""
    return cursor
