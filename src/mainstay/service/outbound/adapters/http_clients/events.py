"""What HTTP clients decide beside their policy."""

from dataclasses import dataclass

from mainstay.service.outbound.events import PolicyEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnected(PolicyEvent):
    """The server had closed an idle connection; the request was sent again on another one."""
