"""Who gets an exchange when it has ended: the access line, and whatever telemetry makes of it."""

from typing import Protocol

from mainstay.service.inbound.exchange import Exchange


class Observer(Protocol):
    """Looks at every exchange that the app saw or that was refused; at no health probe."""

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Take note. Never raises and never waits: it is called on the path of each request.

        Args:
            exchange: All that is known; not to be kept.
            ended_s: Monotonic.
        """
        ...
