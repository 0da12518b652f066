"""A whole transaction as one call that may be tried again: the only thing that can be, of SQL."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mainstay.core.errors import MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.databases.pool import PolicyPool
from mainstay.service.outbound.adapters.databases.views import helps_again, is_contention

R = TypeVar("R")


def in_transaction(
    engine: Engine, work: Callable[[Connection], R], *, idempotent: bool = False
) -> R:
    """Run ``work`` in a transaction of its own and commit it; all of it again where that helps.

    It helps where the connection was lost, the time of a statement was up, or other transactions
    were in the way, and it is safe as long as nothing was committed. What ``work`` does beside
    the database is done again, too.

    Args:
        engine: Made by ``sqlalchemy_engine``.
        work: Gets the connection, and neither commits nor rolls back. Its result is returned.
        idempotent: Whether it may be run again even where the connection was lost during the
            commit, so that nobody knows whether it took effect.

    Raises:
        PolicyMisused: The engine has no policy.
        CallRejected: A part of the policy rejected it.
        DeadlineExceeded: It was not done by its deadline.
        MainstayError: The last attempt failed; see ``SyncGate``.
        Exception: What ``work`` raised; or SQLAlchemy's error, for what the database answered.
    """
    pool = engine.pool
    if not isinstance(pool, PolicyPool):
        raise PolicyMisused("the engine has no policy: make it with sqlalchemy_engine(policy, url)")
    policy = pool.gate.repeatable_unit if idempotent else pool.gate.unit
    return policy.call(_attempt, engine, work)


def _attempt(engine: Engine, work: Callable[[Connection], R]) -> R:
    committing = False
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            result = work(connection)
            committing = True
            transaction.commit()
    except (MainstayError, DBAPIError) as error:
        note_effect(error, committing=committing)
        raise
    return result


def note_effect(error: MainstayError | DBAPIError, *, committing: bool) -> None:
    """Note what a retry asks of an error: whether nothing has taken effect."""
    if helps_again(error) and (not committing or is_contention(error)):
        vars(error)["never_sent"] = True
