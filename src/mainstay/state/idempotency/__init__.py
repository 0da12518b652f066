"""Records of idempotency keys that all replicas of a service share."""

from mainstay.state.idempotency.valkey import ValkeyRecords

__all__ = ["ValkeyRecords"]
