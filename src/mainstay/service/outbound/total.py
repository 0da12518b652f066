"""The total deadline of a policy: an option value. What enforces it is in ``core/deadline``."""

from dataclasses import dataclass

from mainstay.service.outbound.quantity import Duration, Options


@dataclass(frozen=True, slots=True)
class Deadline:
    """The whole call may take so long, retries and pauses included.

    Attributes:
        within: Seconds, or text such as ``2s``. What is left of a deadline around it counts too.
    """

    within: Duration

    def __post_init__(self) -> None:
        options = Options("Deadline")
        object.__setattr__(self, "within", options.seconds("within", self.within))
        options.done()
