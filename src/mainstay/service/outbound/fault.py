"""Faults that are the same at all times: so many attempts fail, and each takes so much longer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.quantity import Duration, Options


class FaultInjected(MainstayError):
    """A call failed because a test or an exercise asked for it."""


def injected() -> FaultInjected:
    """Return the error of a call that is made to fail, where nobody says which."""
    return FaultInjected("this failure was asked for by a test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyFault:
    """What befalls each attempt, whenever it is made. Shared by tasks and threads.

    Attributes:
        error_rate: Share of the attempts that fail, from 0 to 1 or ``20%``.
        delay_s: What each waits first.
        error: Makes the error of one that fails: a class or a function.
        seed: Which fail; the same seed, the same ones.
    """

    error_rate: float | str = 0.0
    delay_s: Duration = 0.0
    error: Callable[[], Exception] = injected
    seed: int = 0
    _rng: Random = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        options = Options("fault")
        take = object.__setattr__
        take(self, "error_rate", options.share("error_rate", self.error_rate))
        take(self, "delay_s", options.seconds("delay_s", self.delay_s, minimum=0.0))
        options.function("error", self.error)
        options.done()
        take(self, "_rng", Random(self.seed))

    def befall(self) -> tuple[float, Exception | None]:
        """Return the seconds that an attempt waits first, and the error it then raises, if any."""
        with self._lock:
            fails = self._rng.random() < float(self.error_rate)
        return float(self.delay_s), self.error() if fails else None
