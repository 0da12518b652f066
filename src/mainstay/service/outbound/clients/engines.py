"""Engines of SQLAlchemy of a policy, in both kinds."""

from typing import TYPE_CHECKING, Any

from mainstay.service.outbound.clients.maker import Maker
from mainstay.service.outbound.quantity import Duration

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

# SQLAlchemy has more dialects than anybody can list.
_OTHERS = frozenset(
    {
        "amqp", "grpc", "grpcs", "http", "https", "kafka", "memcached", "mongodb", "nats", "redis",
        "rediss", "unix", "valkey", "valkeys",
    }
)  # fmt: skip


class Engines(Maker):
    """The part of ``Policy`` that makes engines of SQLAlchemy.

    Both raise PartMissing where SQLAlchemy or the driver is not installed, PolicyMisused where the
    policy has no bulkhead, or nobody said where the database is, and ConfigInvalid where a timeout
    is none. Who gets an engine disposes of it.
    """

    __slots__ = ()

    def sqlalchemy_engine(
        self,
        url: "str | URL | None" = None,
        *,
        connect: Duration | None = None,
        statement: Duration | None = None,
        **options: Any,
    ) -> "Engine":
        """Return an engine whose every checkout and statement is a call of the policy.

        Args:
            url: As SQLAlchemy takes it; ``postgresql://`` is with psycopg. None: what is declared.
            connect: To get a connection that works, never longer than what is left; None: what is
                declared, or 3 s.
            statement: For one statement, or a commit; None: what is declared under ``read``, or
                10 s.
            options: ``recycle`` and ``server_timeout``, see
                ``mainstay.service.outbound.adapters.databases``; any others are those of
                ``create_engine``. Any: they are SQLAlchemy's.
        """
        from mainstay.service.outbound.adapters import databases  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), statement=(statement, "read"))
        where = self._database_url() if url is None else url
        return databases.sqlalchemy_engine(self._policy(), where, **times, **options)

    def async_sqlalchemy_engine(
        self,
        url: "str | URL | None" = None,
        *,
        connect: Duration | None = None,
        statement: Duration | None = None,
        **options: Any,
    ) -> "AsyncEngine":
        """Return an ``AsyncEngine``; arguments as those of ``sqlalchemy_engine``."""
        from mainstay.service.outbound.adapters import databases  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), statement=(statement, "read"))
        where = self._database_url() if url is None else url
        return databases.async_sqlalchemy_engine(self._policy(), where, **times, **options)

    def _database_url(self) -> str:
        return self._url("an engine", schemes=_OTHERS, others=True)
