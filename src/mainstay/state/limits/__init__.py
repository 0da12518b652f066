"""Rate limits that all replicas of a service share."""

from mainstay.state.limits.valkey import ValkeyLimits

__all__ = ["ValkeyLimits"]
