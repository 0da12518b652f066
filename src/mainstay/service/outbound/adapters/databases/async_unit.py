"""A whole transaction as one call that may be tried again, in asynchronous code."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mainstay.core.errors import MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.databases.pool import AsyncPolicyPool
from mainstay.service.outbound.adapters.databases.unit import note_effect

R = TypeVar("R")

Work = Callable[[AsyncConnection], Awaitable[R]]


async def async_in_transaction(
    engine: AsyncEngine, work: Work[R], *, idempotent: bool = False
) -> R:
    """Await ``work`` in a transaction of its own; all else as ``in_transaction``.

    Args:
        engine: Made by ``async_sqlalchemy_engine``.
        work: As there, but a coroutine function.
        idempotent: As there.

    Raises:
        PolicyMisused: The engine is another one.
    """
    pool = engine.pool
    if not isinstance(pool, AsyncPolicyPool):
        raise PolicyMisused(
            "the engine has no policy: make it with async_sqlalchemy_engine(policy, url)"
        )
    policy = pool.gate.repeatable_unit if idempotent else pool.gate.unit
    return await policy.acall(_attempt, engine, work)


async def _attempt(engine: AsyncEngine, work: Work[R]) -> R:
    committing = False
    try:
        async with engine.connect() as connection, connection.begin() as transaction:
            result = await work(connection)
            committing = True
            await transaction.commit()
    except (MainstayError, DBAPIError) as error:
        note_effect(error, committing=committing)
        raise
    return result
