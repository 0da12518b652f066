"""What a command means for a policy: may it be sent twice, and how long does it wait by itself.

Pure. A command may be repeated where that changes neither the data nor the answer. So SADD is not
among those: its answer tells who was first, and the second attempt would tell the wrong one. Nor is
LTRIM, which counts from what the first attempt left; nor EXPIREAT, which finds no key any more
where the time was in the past.
"""

import math
from collections.abc import Iterable, Sequence

Command = Sequence[object]
"""As the client sends it: the name, which may be two words, and the arguments."""

_READ = """
BITCOUNT BITFIELD_RO BITPOS DBSIZE DUMP ECHO EVALSHA_RO EVAL_RO EXISTS EXPIRETIME FCALL_RO
GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS
HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSTRLEN HTTL HVALS
INFO KEYS LCS LINDEX LLEN LOLWUT LPOS LRANGE MGET PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY SCAN
SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO SRANDMEMBER SSCAN STRLEN
SUBSTR SUNION TIME TTL TYPE XINFO XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER
ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE
ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION
"""

# Their answer is OK however often they are sent, and what they leave depends on nothing before.
_OVERWRITE = frozenset({"HMSET", "MSET", "PSETEX", "SETEX"})

_REPEATABLE = frozenset(_READ.split()) | _OVERWRITE

_REPEATABLE_PAIRS = frozenset({
    "CLIENT GETNAME", "CLIENT ID", "CLIENT INFO", "CLIENT LIST", "CLUSTER INFO", "CLUSTER NODES",
    "CLUSTER SHARDS", "CLUSTER SLOTS", "COMMAND COUNT", "COMMAND DOCS", "COMMAND INFO",
    "CONFIG GET", "FUNCTION LIST", "FUNCTION STATS", "MEMORY STATS", "MEMORY USAGE",
    "OBJECT ENCODING", "OBJECT FREQ", "OBJECT IDLETIME", "OBJECT REFCOUNT", "PUBSUB CHANNELS",
    "PUBSUB NUMPAT", "PUBSUB NUMSUB", "SCRIPT EXISTS", "SLOWLOG GET", "SLOWLOG LEN",
})  # fmt: skip

_DATA = """
BITCOUNT BITFIELD_RO BITPOS EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO
GEORADIUS_RO GEOSEARCH GET GETBIT GETRANGE HEXISTS HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET
HPEXPIRETIME HSTRLEN HVALS KEYS LCS LINDEX LLEN LPOS LRANGE MGET PEXPIRETIME PFCOUNT SCARD SDIFF
SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SORT_RO STRLEN SUBSTR SUNION TYPE XLEN XRANGE
XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD ZLEXCOUNT ZMSCORE ZRANGE ZRANGEBYLEX ZRANGEBYSCORE
ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCORE ZUNION
"""

_STOOD_IN = frozenset(_DATA.split())
"""What reads data, and whose answer means later what it meant then.

So none that writes or locks; none about the server or the connection (PING, TIME, CLIENT, WATCH);
none that goes on where it was (SCAN, XREAD), draws lots (SRANDMEMBER) or says what time is left.
"""

_SET_PLAIN = frozenset({"EX", "PX", "EXAT", "PXAT", "KEEPTTL"})
"""Words of SET that let it still overwrite; NX, XX, GET and others make the answer depend."""

_SECONDS_LAST = frozenset({"BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX"})
_SECONDS_FIRST = frozenset({"BLMPOP", "BZMPOP"})
_MILLISECONDS_LAST = frozenset({"WAIT", "WAITAOF"})
_BLOCK_WORD = frozenset({"XREAD", "XREADGROUP"})
_MAY_WAIT = _SECONDS_LAST | _SECONDS_FIRST | _MILLISECONDS_LAST | _BLOCK_WORD


def may_repeat(command: Command) -> bool:
    """Return whether a command may be sent twice; an unknown one may not."""
    name = _word(command[0]) if command else ""
    if name in _REPEATABLE:
        return name != "XREAD" or own_wait_s(command) == 0
    if name == "SET":
        # Numbers are expiries; a key or a value that looks like an option costs a retry, no more.
        return all(word in _SET_PLAIN or word.isdecimal() for word in map(_word, command[3:]))
    if name in _REPEATABLE_PAIRS:
        return True
    return len(command) > 1 and f"{name} {_word(command[1])}" in _REPEATABLE_PAIRS


def may_be_stood_in_for(command: Command) -> bool:
    """Return whether a fallback may answer a command; an unknown one it may not."""
    return bool(command) and _word(command[0]) in _STOOD_IN


def may_repeat_all(commands: Iterable[Command]) -> bool:
    """Return whether commands may be sent twice together, as a pipeline.

    What overwrites may not follow what reads: the second time, that would read the new value.
    """
    has_read = False
    for command in commands:
        overwrites = _overwrites(command)
        if not may_repeat(command) or (overwrites and has_read):
            return False
        has_read = has_read or not overwrites
    return True


def _overwrites(command: Command) -> bool:
    return bool(command) and _word(command[0]) in _OVERWRITE | {"SET"}


def own_wait_s(command: Command) -> float:
    """Return how long a command waits for data by itself, in seconds.

    0 for one that doesn't; infinite for one that waits as long as it takes.
    """
    name = _word(command[0]) if command else ""
    if name not in _MAY_WAIT:
        return 0.0
    scale = 1.0
    if name in _SECONDS_FIRST:
        text = _word(command[1]) if len(command) > 1 else ""
    elif name in _BLOCK_WORD:
        words = [_word(word) for word in command[1:-1]]
        if "BLOCK" not in words:
            return 0.0
        text, scale = _word(command[words.index("BLOCK") + 2]), 0.001
    else:
        text, scale = _word(command[-1]), 0.001 if name in _MILLISECONDS_LAST else 1.0
    return _wait_s(text, scale)


def _wait_s(text: str, scale: float) -> float:
    try:
        wait_s = float(text) * scale
    except ValueError:
        return 0.0  # The server will say that this is no number.
    if not math.isfinite(wait_s) or wait_s < 0:
        return 0.0
    return wait_s or math.inf


def _word(part: object) -> str:
    if isinstance(part, bytes | bytearray):
        return part.decode("latin-1").upper()
    return str(part).upper() if isinstance(part, str | int | float) else ""
