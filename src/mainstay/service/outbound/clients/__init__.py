"""The methods of a policy that make clients of other libraries."""

from mainstay.service.outbound.clients.clients import Clients

__all__ = ["Clients"]
