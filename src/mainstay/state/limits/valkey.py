"""Rate limits that all replicas share: kept in Valkey, by its clock, one round trip a call."""

import functools
import hashlib
import math
from collections.abc import Sequence

from mainstay.core.errors import PolicyMisused, StoreRefused
from mainstay.core.limits import SLACK_CALLS, Answer, Answers, Ask
from mainstay.state.limits.script import answer_to, arguments, take_script
from mainstay.state.valkey import Script, Valkey
from mainstay.state.valkey.keys import key_head
from mainstay.state.valkey.words import Heard, checked, is_unknown, packed_words

ASKS_MAX = 64
"""Limits of one call; the server does nothing else while it looks at them."""

KEY_BYTES_MAX = 200
"""A longer key is replaced by its digest: who chooses keys must not fill the store."""


_LONE_WORDS = 5
"""Of a call of one limit, after the script: the number of keys, the key, three arguments."""


class ValkeyLimits:
    """Buckets in one Valkey. Safe to share between tasks, threads and loops.

    Keys are ``{prefix}:limit:key``. What is in braces says where a cluster keeps them: all limits
    of one prefix stand together, so that one script can take from several. A bucket is forgotten
    when it is empty.

    Args:
        valkey: The client.
        prefix: Of this service's keys: 1 to 100 bytes, no braces.
        script: For tests, which move the clock.

    Raises:
        PolicyMisused: The prefix is none.
    """

    __slots__ = ("_ask", "_head", "_lone_heads", "_script", "_valkey")

    def __init__(
        self, valkey: Valkey, *, prefix: str = "mainstay", script: Script | None = None
    ) -> None:
        self._valkey = valkey
        self._ask = valkey.ask
        self._head = key_head(prefix, "limit")
        self._script = take_script() if script is None else script
        # What a call of one limit begins with, by the bytes that the key has after the head.
        self._lone_heads = [
            self._script.by_name(_LONE_WORDS, b"$1\r\n1\r\n" + _key_start(self._head, length))
            for length in range(KEY_BYTES_MAX + 1)
        ]

    def take(self, asks: Sequence[Ask]) -> Answers:
        """Take a call out of all its limits, or out of none.

        Args:
            asks: At most 64, of different keys.

        Returns:
            What each limit says. The call passes where all allow it.

        Raises:
            StoreUnavailable: The store did not answer within its bound, or is known to be away.
            PolicyMisused: An ask is out of its range, or there are too many.
        """
        if not asks:
            return ()
        heard = self._ask(self._packed(asks))
        if is_unknown(heard):
            heard = self._ask(self._script.whole(*self._words(asks)))
        return _answers(asks, heard)

    async def atake(self, asks: Sequence[Ask]) -> Answers:
        """As ``take``, for tasks."""
        if not asks:
            return ()
        heard = await self._valkey.aask(self._packed(asks))
        if is_unknown(heard):
            heard = await self._valkey.aask(self._script.whole(*self._words(asks)))
        return _answers(asks, heard)

    def _packed(self, asks: Sequence[Ask]) -> bytes:
        """Return the command of a call."""
        if len(asks) != 1:
            return self._script.by_name(*self._words(asks))
        key, every_s, burst, cost = asks[0]
        body = _body(key)
        return self._lone_heads[len(body)] + body + _arguments(every_s, burst, cost)

    def _words(self, asks: Sequence[Ask]) -> tuple[int, bytes]:
        """Return how many words follow the script in the command of a call, and those words."""
        count = len(asks)
        if count > ASKS_MAX:
            raise PolicyMisused(f"a call has at most {ASKS_MAX} limits")
        words = [packed_words((count,))]
        for ask in asks:
            body = _body(ask.key)
            words.append(b"%b%b\r\n" % (_key_start(self._head, len(body)), body))
        # Each begins with the end of the key's line, for calls of one limit.
        words += [_arguments(ask.every_s, ask.burst, ask.cost)[2:] for ask in asks]
        return 1 + 4 * count, b"".join(words)


def _body(key: str) -> bytes:
    try:
        body = key.encode()
    except UnicodeEncodeError:
        # Lone surrogates come from hostile headers; they are as good a key as any.
        body = key.encode("utf-8", "surrogatepass")
    if len(body) > KEY_BYTES_MAX:
        return b"#" + hashlib.sha256(body).hexdigest().encode()
    return body


def _key_start(head: bytes, length: int) -> bytes:
    return b"$%d\r\n%b" % (len(head) + length, head)


@functools.lru_cache(maxsize=1024)
def _arguments(every_s: float, burst: int, cost: int) -> bytes:
    """Return a limit's arguments, packed, with the end of a line before them: few are asked for."""
    if not (0 < every_s < math.inf and burst >= 1 and cost >= 0):
        raise PolicyMisused("a limit has every_s above 0, burst from 1 and cost from 0")
    return b"\r\n" + packed_words(arguments(every_s, burst, cost))


def _answers(asks: Sequence[Ask], heard: Heard) -> Answers:
    if type(heard) is int and len(asks) == 1:
        if heard < 0:
            return (answer_to(asks[0], heard, taken=False),)
        # As `answer_to`, written out for what nearly every call comes to.
        _, every_s, burst, _ = asks[0]
        held_s = heard / 1e6
        left = int((every_s * burst - held_s) / every_s + SLACK_CALLS)
        return (Answer(True, left, 0.0, held_s),)  # noqa: FBT003  By position: for every call.
    reply = checked(heard)
    said = reply if isinstance(reply, list) else []
    numbers = [one for one in said if isinstance(one, int)]
    if len(numbers) != len(asks):
        raise StoreRefused("valkey answered what no limit says", code="ERR")
    taken = min(numbers) >= 0
    return tuple([answer_to(ask, one, taken=taken) for ask, one in zip(asks, numbers, strict=True)])
