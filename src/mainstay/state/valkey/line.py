"""One connection of an event loop: all its callers share it, and answers come in order.

A call costs a future and a place in a queue. Commands of one turn of the loop leave in one write.
There is one timer for all: the oldest call is the first to be late, and when it is, the server
hangs, and all others wait in vain too.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey.bounds import ANSWER_BYTES_MAX, Bounds
from mainstay.state.valkey.reasons import (
    CROWDED,
    ENDED,
    GARBAGE,
    LATE,
    NOT_OPEN,
    TOO_LONG,
    UNTAKEN,
)  # fmt: skip
from mainstay.state.valkey.resp import ProtocolError, Reader, ReplyError

if TYPE_CHECKING:
    from mainstay.state.valkey.words import Heard

GRACE_S = 0.001
"""Before the oldest call is given up, the loop looks once more at its sockets: it may be the loop
that was held up, with the answer waiting in them."""

UNTAKEN_BYTES_MAX = 1024 * 1024
"""Of what the server does not take; beyond that, calls are sent away until it does. As much is kept
before the connection is open."""

_ROOM_BYTES = 65_536

Answer: TypeAlias = "asyncio.Future[Heard]"


class Line(asyncio.BufferedProtocol):
    """A connection from before it is open to its end. Used on its loop only.

    Args:
        loop: The running one.
        label: Of the server, for errors.
        bounds: Of calls.
        ended: Told once why it ended, without having been asked to; it has failed all its calls.
        late: Told when callers waited too long for it to open.

    Attributes:
        refusal: Why calls are sent away; None: they are not. Before it serves, they are kept until
            it does.
        answered: Whether it ever answered a call.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        label: str,
        bounds: Bounds,
        *,
        ended: Callable[[str], None],
        late: Callable[[str], None],
    ) -> None:
        self.refusal: str | None = None
        self.answered = False
        self._loop = loop
        self._label = label
        self._ended = ended
        self._late = late
        self._outstanding_max = bounds.outstanding_max
        self._timeout_s = bounds.timeout_s
        self._now_s = loop.time
        # Each call's future, and when its time is up: in the order of their answers.
        self._waiting: deque[tuple[Answer, float]] = deque()
        # The commands of the youngest of them, which are packed and not written yet.
        self._unwritten: list[bytes] = []
        self._kept_bytes = 0
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._greeting: deque[tuple[Answer, float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._serves = False
        self._over = False
        self._reader = Reader()
        # Read into again and again: asyncio makes room for 256 KiB before each read otherwise.
        self._room = bytearray(_ROOM_BYTES)
        # A view, since asyncio's TLS reads in pieces: a slice of the bytes would be a copy of them.
        self._view = memoryview(self._room)
        self._partial_bytes = 0

    def ask(self, packed: bytes) -> Answer:
        """Send a command; the future's result is its answer, which may be an error's.

        The future may be cancelled: its answer is then passed over.

        Raises:
            StoreUnavailable: Calls are sent away, or too many wait; nothing was sent. The future
                raises it too, where no answer came in time.
        """
        if self.refusal is not None:
            raise self._unavailable(self.refusal, begun=False)
        waiting = self._waiting
        if len(waiting) >= self._outstanding_max:
            raise self._unavailable(CROWDED, begun=False)
        if not self._serves:
            if self._kept_bytes >= UNTAKEN_BYTES_MAX:
                raise self._unavailable(UNTAKEN, begun=False)
            self._kept_bytes += len(packed)
        future: Answer = self._loop.create_future()
        due_s = self._now_s() + self._timeout_s
        if self._serves and not waiting:
            # Alone on the line: the shortest way. Who comes while an answer is awaited gathers.
            assert self._transport is not None, "it serves"
            self._transport.write(packed)
        else:
            self._unwritten.append(packed)
            if self._serves and not self._flushing:
                self._flushing = True
                self._loop.call_soon(self._flush)
        waiting.append((future, due_s))
        if self._timer is None:
            self._timer = self._loop.call_at(due_s - GRACE_S, self._suspect)
        return future

    async def greet(self, commands: Sequence[bytes]) -> None:
        """Say the first words, then what callers gave while it was being opened.

        Raises:
            StoreUnavailable: The server hung up, or answers with an error; only its first word is
                shown, since the rest may hold what was sent.
        """
        if self._transport is None:
            # It may have ended before who connected was told that it was there.
            raise self._unavailable(self.refusal or ENDED, begun=False)
        answers: list[Answer] = [self._loop.create_future() for _ in commands]
        self._greeting.extend((one, 0.0) for one in answers)
        self._transport.write(b"".join(commands))
        for one in answers:
            said = await one
            if isinstance(said, ReplyError):
                code = str(said).partition(" ")[0][:40]
                raise self._unavailable(f"it answered the greeting with {code}", begun=False)
        self._serves = True
        self.refusal = None
        self._flush()

    def end(self, why: str) -> None:
        """End it and all its calls; no more are taken."""
        self._over = True
        self._serves = False
        self.refusal = self.refusal or why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._fail_all(why)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport, unless nobody wants it any longer."""
        # A stream's, always; uvloop's own class is no subclass of it.
        stream = cast("asyncio.Transport", transport)
        if self._over:
            stream.abort()
            return
        stream.set_write_buffer_limits(UNTAKEN_BYTES_MAX)
        self._transport = stream

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  The protocol's.
        """Return where to put what comes."""
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        """Hand out the answers that are whole."""
        reader = self._reader
        waiting = self._waiting if self._serves else self._greeting
        reader.feed(self._room, 0, nbytes)  # type: ignore[arg-type]  # Any buffer: its stub is narrow.
        self._partial_bytes += nbytes
        try:
            while (reply := reader.gets()) is not False:
                if not waiting:
                    self._give_up(GARBAGE)
                    return
                self._partial_bytes = 0
                future, _ = waiting.popleft()
                if not future.done():
                    future.set_result(reply)
        except ProtocolError:
            self._give_up(GARBAGE)
            return
        self.answered = self.answered or self._serves
        if self._partial_bytes > ANSWER_BYTES_MAX:
            self._give_up(TOO_LONG)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  The protocol's.
        """Fail all calls."""
        self._give_up(ENDED)

    def pause_writing(self) -> None:
        """Send calls away while the server does not take what is written."""
        self.refusal = self.refusal or UNTAKEN

    def resume_writing(self) -> None:
        """Let calls in again."""
        if self.refusal is UNTAKEN:
            self.refusal = None

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is not None and self._unwritten:
            packed = b"".join(self._unwritten)
            self._unwritten.clear()
            self._transport.write(packed)

    def _suspect(self) -> None:
        """Look at the oldest call: is its time nearly up?"""
        self._timer = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        if oldest[1] - GRACE_S > self._now_s():
            self._timer = self._loop.call_at(oldest[1] - GRACE_S, self._suspect)
        else:
            self._timer = self._loop.call_later(GRACE_S, self._judge, oldest)

    def _judge(self, oldest: tuple[Answer, float]) -> None:
        """Give the oldest call up, if it still waits after its grace."""
        self._timer = None
        if not self._waiting or self._waiting[0] is not oldest:
            self._suspect()
        elif self._serves:
            self._give_up(LATE)
        else:
            # The attempt to open it goes on, but nobody waits for it any longer.
            self.refusal = NOT_OPEN
            self._fail_all(NOT_OPEN)
            self._late(NOT_OPEN)

    def _give_up(self, why: str) -> None:
        if not self._over:
            self.end(why)
            self._ended(why)

    def _fail_all(self, why: str) -> None:
        written = len(self._waiting) - len(self._unwritten)
        self._unwritten.clear()
        self._kept_bytes = 0
        failed = [*self._greeting, *self._waiting]
        written += len(self._greeting)
        self._greeting.clear()
        self._waiting.clear()
        for number, (future, _) in enumerate(failed):
            if not future.done():
                future.set_exception(self._unavailable(why, begun=number < written))

    def _unavailable(self, why: str, *, begun: bool) -> StoreUnavailable:
        return StoreUnavailable(f"{self._label}: {why}", begun=begun)
