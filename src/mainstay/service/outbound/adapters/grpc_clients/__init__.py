"""gRPC channels, synchronous and asynchronous, with a policy inside."""

from mainstay.core.errors import PartMissing

try:
    import grpc as _grpc  # type: ignore[import-untyped]  # noqa: F401  It ships no types.
except ModuleNotFoundError as error:
    raise PartMissing("grpc is not installed: pip install grpcio") from error

# Need gRPC itself, so they come after the sentence above.
from mainstay.service.outbound.adapters.grpc_clients.channels import (
    async_grpc_channel,
    grpc_channel,
)

__all__ = ["async_grpc_channel", "grpc_channel"]
