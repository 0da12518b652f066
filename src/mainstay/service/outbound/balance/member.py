"""What a balancer knows of one endpoint. Touched only while the balancer's lock is held."""

from hashlib import blake2b

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.share import FailureShare


class Member:
    """One endpoint with its counts.

    Attributes:
        endpoint: Where it is.
        weight: The endpoint's.
        unit: What one call adds to its load: 1 / weight.
        active: Calls in flight.
        calls: Calls for which it was chosen so far.
        turn: For weighted rotation: how much it has waited for its turn.
        identity: For rendezvous: 64 bits of its host and port, the same in every process.
        cost_s: For response times: its moving peak, as of ``observed_s``.
        observed_s: When a response time was last observed; None means never.
        generation: Rises when it is ejected; an answer to a call of an older one changes nothing.
        streak: Failures in a row.
        share: Its calls and failures of late.
        ejections: How often it was ejected, until it has served well for long.
        ejected_until_s: When it returns; None means that it serves.
        serving_since_s: When it came or last returned.
    """

    __slots__ = (
        "active", "calls", "cost_s", "ejected_until_s", "ejections", "endpoint", "generation",
        "identity", "observed_s", "serving_since_s", "share", "streak", "turn", "unit", "weight",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, *, serving_since_s: float = 0.0) -> None:
        self.active = 0
        self.calls = 0
        self.turn = 0
        self.identity = int.from_bytes(blake2b(str(endpoint).encode(), digest_size=8).digest())
        self.cost_s = 0.0
        self.observed_s: float | None = None
        self.generation = 0
        self.streak = 0
        self.share = FailureShare()
        self.ejections = 0
        self.ejected_until_s: float | None = None
        self.serving_since_s = serving_since_s
        self.take(endpoint)

    def take(self, endpoint: Endpoint) -> None:
        """Take the endpoint's present weight; host and port are what they were."""
        self.endpoint = endpoint
        self.weight = endpoint.weight
        self.unit = 1.0 / endpoint.weight
