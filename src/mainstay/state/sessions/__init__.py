"""Sessions that all replicas of a service share."""

from mainstay.state.sessions.valkey import ValkeySessions

__all__ = ["ValkeySessions"]
