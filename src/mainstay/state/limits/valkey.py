"""Rate limits that all replicas share: kept in Valkey, by its clock, one round trip a call."""

import functools
import hashlib
import math
from collections.abc import Sequence

from mainstay.core.errors import PolicyMisused, StoreRefused
from mainstay.core.limits import Answers, Ask
from mainstay.state.limits.script import answer_to, arguments, take_script
from mainstay.state.valkey import Reply, Script, Valkey
from mainstay.state.valkey.keys import key_head
from mainstay.state.valkey.words import packed_words

ASKS_MAX = 64
"""Limits of one call; the server does nothing else while it looks at them."""

KEY_BYTES_MAX = 200
"""A longer key is replaced by its digest: who chooses keys must not fill the store."""


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

    __slots__ = ("_head", "_script", "_valkey")

    def __init__(
        self, valkey: Valkey, *, prefix: str = "mainstay", script: Script | None = None
    ) -> None:
        self._valkey = valkey
        self._head = key_head(prefix, "limit")
        self._script = take_script() if script is None else script

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
        return _answers(asks, self._valkey.run_packed(self._script, *self._packed(asks)))

    async def atake(self, asks: Sequence[Ask]) -> Answers:
        """As ``take``, for tasks."""
        if not asks:
            return ()
        return _answers(asks, await self._valkey.arun_packed(self._script, *self._packed(asks)))

    def _packed(self, asks: Sequence[Ask]) -> tuple[int, bytes]:
        count = len(asks)
        if count > ASKS_MAX:
            raise PolicyMisused(f"a call has at most {ASKS_MAX} limits")
        if count == 1:
            key, every_s, burst, cost = asks[0]
            return 5, b"$1\r\n1\r\n%b%b" % (self._key(key), _arguments(every_s, burst, cost))
        keys = b"".join([self._key(ask.key) for ask in asks])
        rest = b"".join([_arguments(ask.every_s, ask.burst, ask.cost) for ask in asks])
        return 1 + 4 * count, b"%b%b%b" % (packed_words((count,)), keys, rest)

    def _key(self, key: str) -> bytes:
        # Lone surrogates come from hostile headers; they are as good a key as any.
        body = key.encode("utf-8", "surrogatepass")
        if len(body) > KEY_BYTES_MAX:
            body = b"#" + hashlib.sha256(body).hexdigest().encode()
        return b"$%d\r\n%b%b\r\n" % (len(self._head) + len(body), self._head, body)


@functools.lru_cache(maxsize=1024)
def _arguments(every_s: float, burst: int, cost: int) -> bytes:
    """Return a limit's arguments, packed: the same few at each call."""
    if not (0 < every_s < math.inf and burst >= 1 and cost >= 0):
        raise PolicyMisused("a limit has every_s above 0, burst from 1 and cost from 0")
    return packed_words(arguments(every_s, burst, cost))


def _answers(asks: Sequence[Ask], reply: Reply) -> Answers:
    if isinstance(reply, int) and len(asks) == 1:
        return (answer_to(asks[0], reply, taken=reply >= 0),)
    said = reply if isinstance(reply, list) else []
    numbers = [one for one in said if isinstance(one, int)]
    if len(numbers) != len(asks):
        raise StoreRefused("valkey answered what no limit says", code="ERR")
    taken = min(numbers) >= 0
    return tuple([answer_to(ask, one, taken=taken) for ask, one in zip(asks, numbers, strict=True)])
