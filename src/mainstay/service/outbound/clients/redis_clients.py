"""Clients of Redis and Valkey of a policy, in both kinds."""

from typing import TYPE_CHECKING, Any

from mainstay.service.outbound.clients.maker import Maker
from mainstay.service.outbound.quantity import Duration

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    import valkey
    import valkey.asyncio

_SCHEMES = frozenset({"redis", "rediss", "unix", "valkey", "valkeys"})


class RedisClients(Maker):
    """The part of ``Policy`` that makes clients of Redis and Valkey.

    All raise PartMissing where the library is not installed, PolicyMisused where the policy has no
    bulkhead, or nobody said where the server is, and ConfigInvalid where a timeout is none. Who
    gets a client closes it.
    """

    __slots__ = ()

    def redis_client(
        self,
        url: str | None = None,
        *,
        connect: Duration | None = None,
        read: Duration | None = None,
        **options: Any,
    ) -> "redis.Redis":
        """Return a ``redis.Redis`` each of whose commands and pipelines is a call of the policy.

        Args:
            url: ``redis://``, ``rediss://`` (or ``valkey://``, ``valkeys://``), or ``unix://``;
                None: what is declared.
            connect: To open a connection, never longer than what is left; None: what is declared,
                or 1 s.
            read: Until an answer is there, as ``connect``; None: what is declared, or 2 s.
            options: Further ones of the library's pool, such as ``decode_responses``. Any: they
                are the library's.
        """
        from mainstay.service.outbound.adapters import redis_clients  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), read=(read, "read"))
        return redis_clients.redis_client(
            self._policy(), url or self._redis_url(), **times, **options
        )

    def async_redis_client(
        self,
        url: str | None = None,
        *,
        connect: Duration | None = None,
        read: Duration | None = None,
        **options: Any,
    ) -> "redis.asyncio.Redis":
        """Return a ``redis.asyncio.Redis``; arguments as those of ``redis_client``."""
        from mainstay.service.outbound.adapters import redis_clients  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), read=(read, "read"))
        where = url or self._redis_url()
        return redis_clients.async_redis_client(self._policy(), where, **times, **options)

    def valkey_client(
        self,
        url: str | None = None,
        *,
        connect: Duration | None = None,
        read: Duration | None = None,
        **options: Any,
    ) -> "valkey.Valkey":
        """Return a ``valkey.Valkey``; arguments as those of ``redis_client``."""
        from mainstay.service.outbound.adapters import redis_clients  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), read=(read, "read"))
        return redis_clients.valkey_client(
            self._policy(), url or self._redis_url(), **times, **options
        )

    def async_valkey_client(
        self,
        url: str | None = None,
        *,
        connect: Duration | None = None,
        read: Duration | None = None,
        **options: Any,
    ) -> "valkey.asyncio.Valkey":
        """Return a ``valkey.asyncio.Valkey``; arguments as those of ``redis_client``."""
        from mainstay.service.outbound.adapters import redis_clients  # noqa: PLC0415

        times = self._within(connect=(connect, "connect"), read=(read, "read"))
        where = url or self._redis_url()
        return redis_clients.async_valkey_client(self._policy(), where, **times, **options)

    def _redis_url(self) -> str:
        return self._url("a Redis client", schemes=_SCHEMES)
