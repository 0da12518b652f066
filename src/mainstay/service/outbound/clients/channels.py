"""gRPC channels of a policy, in both kinds."""

from collections.abc import Sequence
from typing import Any

from mainstay.service.outbound.clients.maker import Maker
from mainstay.service.outbound.quantity import Duration

# A service of the system is told as http.
_SCHEMES = frozenset({"grpc", "grpcs", "http", "https"})


class Channels(Maker):
    """The part of ``Policy`` that makes gRPC channels.

    Both raise PartMissing where grpcio is not installed, PolicyMisused where the policy has no
    bulkhead, or nobody said where the server is, and ConfigInvalid where the timeout is none. Who
    gets a channel closes it.
    """

    __slots__ = ()

    # Any: gRPC ships no types.
    def grpc_channel(
        self,
        target: str | None = None,
        *,
        timeout: Duration | None = None,
        repeatable: tuple[str, ...] = (),
        credentials: Any = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> Any:
        """Return a ``grpc.Channel`` each of whose calls is one of the policy.

        Args:
            target: As gRPC takes it: ``127.0.0.1:50051``, ``dns:///payments:443``; None: host and
                port of the URL that is declared.
            timeout: Of a call that says none; None: the total that is declared, or 30 s.
            repeatable: Full names of methods that may be called twice, such as
                ``/shop.Catalog/Get``.
            credentials: Of the channel; None: those of the system's authorities for a declared
                ``grpcs://`` or ``https://``, else it is not encrypted.
            options: Further ones of gRPC, which go before ours.
        """
        from mainstay.service.outbound.adapters import grpc_clients  # noqa: PLC0415

        where, proofs = self._reach(target, credentials)
        times = self._within(timeout=(timeout, "total"))
        return grpc_clients.grpc_channel(
            self._policy(), where, repeatable=repeatable, credentials=proofs, options=options,
            **times,
        )  # fmt: skip

    def async_grpc_channel(
        self,
        target: str | None = None,
        *,
        timeout: Duration | None = None,
        repeatable: tuple[str, ...] = (),
        credentials: Any = None,
        options: Sequence[tuple[str, Any]] = (),
    ) -> Any:
        """Return a ``grpc.aio.Channel``; as ``grpc_channel``. Call it where a loop runs."""
        from mainstay.service.outbound.adapters import grpc_clients  # noqa: PLC0415

        where, proofs = self._reach(target, credentials)
        times = self._within(timeout=(timeout, "total"))
        return grpc_clients.async_grpc_channel(
            self._policy(), where, repeatable=repeatable, credentials=proofs, options=options,
            **times,
        )  # fmt: skip

    def _reach(self, target: str | None, credentials: Any) -> tuple[str, Any]:
        """Return target and credentials: as said, or as declared."""
        from mainstay.service.outbound.adapters.grpc_clients import target as declared  # noqa: PLC0415

        if target is not None:
            return target, credentials
        url = self._url("a gRPC channel", schemes=_SCHEMES)
        return declared.target_of(self._policy().name, url), credentials or (
            declared.credentials_for(url)
        )
