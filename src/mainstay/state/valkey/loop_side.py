"""The side of a client that one event loop uses: one line, opened again whenever it ends."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from random import Random

from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey.address import Address
from mainstay.state.valkey.bounds import OPEN_S, Bounds
from mainstay.state.valkey.line import Line
from mainstay.state.valkey.presence import Presence
from mainstay.state.valkey.reasons import CLOSED, LATE, NOT_OPEN, unreachable
from mainstay.state.valkey.words import packed_greeting


class LoopSide:
    """What one loop knows of the server. Used on its loop only.

    Args:
        loop: The running one.
        address: Of the server.
        bounds: Of calls.
        rng: For the pauses between attempts.
        tell: Told why callers begin to be sent away, and None when they no longer are.

    Attributes:
        loop: As given.
        line: The present one: ask it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        bounds: Bounds,
        rng: Random,
        tell: Callable[[str | None], None],
    ) -> None:
        self.loop = loop
        self._address = address
        self._bounds = bounds
        self._rng = rng
        self._tell = tell
        self._presence = Presence()
        self._opening: asyncio.Task[None] | None = None
        self._closed = False
        self.line = self._new_line()
        self._open_after(0.0)

    async def close(self) -> None:
        """End the connection and all its calls; further ones are sent away."""
        self._closed = True
        self.line.end(CLOSED)
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        # The transport says farewell in the next turn; a loop that ends before would complain.
        await asyncio.sleep(0)

    def _new_line(self) -> Line:
        line = Line(
            self.loop, self._address.label, self._bounds, ended=self._ended, late=self._send_away
        )
        line.refusal = self._presence.away
        return line

    def _ended(self, why: str) -> None:
        """Open another line.

        Callers may wait for it where the old one ended in peace: a server that was started anew,
        an idle connection that was cut. After anything else they are sent away.
        """
        if self.line.answered:
            self._presence.proved()
        at_once = self.line.answered and why != LATE
        if not at_once:
            self._send_away(why)
        self.line = self._new_line()
        if self._opening is None and not self._closed:
            self._open_after(0.0 if at_once else self._presence.delay_s(self._rng))

    def _send_away(self, why: str) -> None:
        if self._presence.send_away(why):
            self._tell(why)

    def _open_after(self, delay_s: float) -> None:
        # A context of its own: that of the caller, with its deadline, ends long before.
        self._opening = self.loop.create_task(
            self._open(delay_s), name="mainstay-valkey", context=Context()
        )

    async def _open(self, delay_s: float) -> None:
        """Try until the line serves."""
        try:
            while not self._closed:
                await asyncio.sleep(delay_s)
                why = await self._attempt()
                if why is None:
                    break
                delay_s = self._presence.delay_s(self._rng)
                self._send_away(why)
                self.line.end(why)
                self.line = self._new_line()
        finally:
            self._opening = None

    async def _attempt(self) -> str | None:
        """Connect and greet; return why it failed, or None."""
        line, address = self.line, self._address
        try:
            async with asyncio.timeout(OPEN_S):
                if address.path is not None:
                    await self.loop.create_unix_connection(lambda: line, address.path)
                else:
                    await self.loop.create_connection(
                        lambda: line, address.host, address.port, ssl=address.tls
                    )
                await line.greet(packed_greeting(address))
        except TimeoutError:
            return NOT_OPEN
        except OSError as error:
            return unreachable(error)
        except StoreUnavailable as error:
            return str(error).removeprefix(f"{address.label}: ")
        if self._presence.opened():
            self._tell(None)
        return None
