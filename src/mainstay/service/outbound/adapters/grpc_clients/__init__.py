"""gRPC channels, synchronous and asynchronous, with a policy inside."""

from mainstay.service.outbound.adapters.part import part

with part("grpc"):
    import grpc as _grpc  # type: ignore[import-untyped]  # noqa: F401  It ships no types.

# Need gRPC itself, so they come after the sentence above.
from mainstay.service.outbound.adapters.grpc_clients.answers import UnaryRequest
from mainstay.service.outbound.adapters.grpc_clients.channels import (
    async_grpc_channel,
    grpc_channel,
)

__all__ = ["UnaryRequest", "async_grpc_channel", "grpc_channel"]
