"""Who is told what a service does: the doors by which telemetry comes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mainstay.core.complaint import complain
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.observer import Observer
from mainstay.service.inbound.problems.refusal import RawHeaders


class Figures(Protocol):
    """What answers who asks for metrics. Status, headers without the length, and body."""

    def answer(
        self, accept: bytes | None = None, accept_encoding: bytes | None = None
    ) -> tuple[int, RawHeaders, bytes]:
        """Return the answer; may block for seconds."""
        ...

    async def answer_async(
        self, accept: bytes | None = None, accept_encoding: bytes | None = None
    ) -> tuple[int, RawHeaders, bytes]:
        """Do what ``answer`` does, without blocking the event loop."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Who is told what. Nobody raises; what is None is off.

    Attributes:
        observer: Gets what has ended.
        failed: Told of each error that the app let through and nobody handled, within the request
            and before it has ended; where it is None, ``complain`` gets the traceback.
        background: Told of errors of work in the background, with its name; likewise.
        complain: Takes a text that somebody should read.
        figures: Answers who asks for metrics.
        figures_path: Where they are asked for.
    """

    observer: Observer | None = None
    failed: Callable[[Exchange, BaseException], None] | None = None
    background: Callable[[BaseException, str], None] | None = None
    complain: Callable[[str], None] = complain
    figures: Figures | None = None
    figures_path: str = ""


NOBODY = Telling()
