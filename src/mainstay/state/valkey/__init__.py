"""Valkey (or Redis), on the path of a request: bounded, shared, and never in the way."""

from mainstay.state.valkey.client import Valkey
from mainstay.state.valkey.events import StoreAway, StoreBack
from mainstay.state.valkey.words import Reply, Script, Word

__all__ = ["Reply", "Script", "StoreAway", "StoreBack", "Valkey", "Word"]
