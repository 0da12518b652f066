"""What is said to a server and heard from it, as values. No I/O."""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from mainstay.core.errors import PolicyMisused, StoreRefused
from mainstay.state.valkey.address import Address
from mainstay.state.valkey.resp import ReplyError, pack_command

Word: TypeAlias = str | bytes | int | float
Reply: TypeAlias = bytes | int | list["Reply"] | None
"""What a server answered, by RESP2: texts are bytes, floating numbers too."""

Heard: TypeAlias = Reply | ReplyError
"""What came from the server: an answer, or an error in its place."""

UNFIT = frozenset({
    "AUTH", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN",
    "CLIENT", "DISCARD", "EXEC", "HELLO", "MONITOR", "MULTI", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE",
    "QUIT", "RESET", "SELECT", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE",
    "UNWATCH", "WAIT", "WAITAOF", "WATCH",
})  # fmt: skip
"""Commands that wait, or that change the connection: it is shared by all callers."""

# Its own type names a tuple of one word.
_pack: Callable[[tuple[Word, ...]], bytes] = pack_command  # type: ignore[assignment]

_WITH_BLOCK = frozenset({"XREAD", "XREADGROUP"})


def packed(words: Sequence[Word]) -> bytes:
    """Return a command as the bytes of RESP.

    Raises:
        PolicyMisused: It can't be used on a connection that others share, or a word is no text,
            bytes or number. Its sentence shows no word but the name.
    """
    if not words or not isinstance(words[0], str):
        raise PolicyMisused("a command begins with its name, a str")
    name = words[0].upper()
    if name in UNFIT or (name in _WITH_BLOCK and _blocks(words)):
        raise PolicyMisused(f"{name} needs a connection of its own: others share this one")
    try:
        return _pack(tuple(words))
    except (TypeError, UnicodeError) as error:
        # hiredis shows the word, which may be a secret, and no lone surrogate can be sent.
        said = type(error).__name__
    raise PolicyMisused(f"{name}: a word is a str, bytes, int or float ({said})")


def _blocks(words: Sequence[Word]) -> bool:
    return any(isinstance(one, str) and one.upper() == "BLOCK" for one in words)


def checked(reply: Heard) -> Reply:
    """Return an answer, or raise it.

    Raises:
        StoreRefused: It is an error.
    """
    if isinstance(reply, ReplyError):
        text = str(reply)
        raise StoreRefused(f"valkey answered {text[:200]}", code=text.partition(" ")[0][:40])
    return reply


def is_unknown(reply: Heard) -> bool:
    """Return whether the server does not know a script that was named, or knows it no longer."""
    return isinstance(reply, ReplyError) and str(reply).startswith("NOSCRIPT")


class Script:
    """A Lua script that the server keeps, named by its digest.

    Args:
        text: All of it. Keys come in ``KEYS``, everything else in ``ARGV``.
    """

    __slots__ = ("_name", "_text", "sha")

    def __init__(self, text: str) -> None:
        body = text.encode()
        self.sha = hashlib.sha1(body, usedforsecurity=False).hexdigest()
        self._name = b"$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % self.sha.encode()
        self._text = b"$4\r\nEVAL\r\n$%d\r\n%b\r\n" % (len(body), body)

    def by_name(self, count: int, rest: bytes) -> bytes:
        """Return the command that runs it, if the server knows it.

        Args:
            count: Of the words in ``rest``.
            rest: Number of keys, keys and arguments, packed by ``packed_words``.
        """
        return b"*%d\r\n%b%b" % (count + 2, self._name, rest)

    def whole(self, count: int, rest: bytes) -> bytes:
        """Return the command that runs it, and makes the server know it; see ``by_name``."""
        return b"*%d\r\n%b%b" % (count + 2, self._text, rest)


def packed_words(words: Sequence[Word]) -> bytes:
    """Return words as they stand within a command."""
    whole = _pack(tuple(words))
    return whole[whole.index(b"\n") + 1 :]


def packed_greeting(address: Address) -> tuple[bytes, ...]:
    """Return what opens a connection to ``address``, packed."""
    return tuple(_pack(words) for words in address.greeting())
