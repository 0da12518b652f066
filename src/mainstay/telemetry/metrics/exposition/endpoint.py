"""What answers a scraper: figures in the format that it asks for, made beside the event loop."""

import asyncio
import gzip
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from mainstay.core.clock import SYSTEM_CLOCK, Clock, pause
from mainstay.core.errors import MainstayError
from mainstay.service.inbound.problems.refusal import RawHeaders
from mainstay.telemetry.forks import begin_in_children
from mainstay.telemetry.metrics.exposition.negotiation import (
    OPENMETRICS_TYPE,
    TEXT_TYPE,
    wants_gzip,
    wants_openmetrics,
)
from mainstay.telemetry.metrics.exposition.text import blocks
from mainstay.telemetry.metrics.snapshot import Exemplars, Snapshot

WAIT_S = 5.0
"""Scrapers are answered one after another; who would wait longer is asked to come again."""

ASKING_MAX = 8
"""Scrapers at once, the one that is answered among them; whoever comes then is asked to come again.
More than a pair of Prometheus needs, and no more threads than this are begun for strangers."""

_PACKING_LEVEL = 1
"""A fifth of the bytes for a tenth of the time that the usual level takes."""


class FiguresUnavailable(MainstayError):
    """The figures can't be told right now, and may be in a moment."""


class Answer(NamedTuple):
    """What a scraper gets.

    Attributes:
        status: 200, or 503 where it should come again.
        headers: As ASGI wants them, without the length.
        body: Of a HEAD it is left away by who sends it.
    """

    status: int
    headers: RawHeaders
    body: bytes


_LATER = Answer(503, ((b"content-type", b"text/plain"), (b"retry-after", b"1")), b"try again\n")


class Endpoint:
    """Answers scrapers of one process.

    Args:
        collect: Returns the figures; may block, and raises ``FiguresUnavailable`` where there are
            none for now.
        exemplars: Returns the exemplars of this process.
        clock: Where time comes from.
    """

    __slots__ = ("__weakref__", "_clock", "_collect", "_exemplars", "_one", "_places")

    def __init__(
        self,
        collect: Callable[[], Snapshot],
        exemplars: Callable[[], Exemplars],
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._collect = collect
        self._exemplars = exemplars
        self._clock = clock
        self.forget()
        begin_in_children(self.forget)

    def forget(self) -> None:
        """Begin anew in a forked process: whoever is being answered is its parent's."""
        self._one = threading.Lock()
        self._places = threading.BoundedSemaphore(ASKING_MAX)

    def answer(self, accept: bytes | None = None, accept_encoding: bytes | None = None) -> Answer:
        """Return the answer to one scraper. Blocks for ``WAIT_S`` at most, and while it is made.

        Args:
            accept: The header, or None.
            accept_encoding: The header, or None.
        """
        places = self._places
        if not places.acquire(blocking=False):
            return _LATER
        try:
            return self._answer_in_turn(accept, accept_encoding)
        finally:
            places.release()

    async def answer_async(
        self, accept: bytes | None = None, accept_encoding: bytes | None = None
    ) -> Answer:
        """Do what ``answer`` does in a thread of its own, while the event loop goes on.

        A thread of its own, because those of the loop may all be taken by the app's work. It keeps
        its place among those who ask until it is done, also where who asked has left.
        """
        places = self._places
        if not places.acquire(blocking=False):
            return _LATER
        done: Future[Answer] = Future()

        def run() -> None:
            try:
                done.set_result(self._answer_in_turn(accept, accept_encoding))
            except BaseException as error:  # noqa: BLE001  Whatever it is, who asked gets it.
                done.set_exception(error)
            finally:
                places.release()

        done.set_running_or_notify_cancel()
        try:
            threading.Thread(target=run, name="mainstay-metrics", daemon=True).start()
        except RuntimeError:
            # The system has no threads left, which may be better in a moment.
            places.release()
            return _LATER
        return await asyncio.wrap_future(done)

    def _answer_in_turn(self, accept: bytes | None, accept_encoding: bytes | None) -> Answer:
        # One at a time: many scrapers at once would take each other's time and memory.
        one = self._one
        if not one.acquire(timeout=WAIT_S):
            return _LATER
        try:
            return self._answer(
                openmetrics=wants_openmetrics(accept), packed=wants_gzip(accept_encoding)
            )
        except FiguresUnavailable:
            return _LATER
        finally:
            one.release()

    def _answer(self, *, openmetrics: bool, packed: bool) -> Answer:
        clock = self._clock
        pieces = []
        for block in blocks(
            self._collect(),
            openmetrics=openmetrics,
            exemplars=self._exemplars() if openmetrics else None,
            wall_offset_s=clock.wall_s() - clock.monotonic_s(),
        ):
            pieces.append(block.encode())
            # Lets go of the interpreter, so that an event loop that waits for it gets its turn.
            pause(0.0)
        body = b"".join(pieces)
        kind = OPENMETRICS_TYPE if openmetrics else TEXT_TYPE
        headers = ((b"content-type", kind), (b"vary", b"accept, accept-encoding"))
        if packed:
            body = gzip.compress(body, _PACKING_LEVEL, mtime=0)
            headers = (*headers, (b"content-encoding", b"gzip"))  # type: ignore[assignment]  # Longer.
        return Answer(200, headers, body)
