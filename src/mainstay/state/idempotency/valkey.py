"""Records in one Valkey: by its clock, each call one script and one round trip.

As safe as the server: a replica that takes over may lack the last moments, and a server without
persistence forgets all when it is restarted. Where that may not be, there is PostgreSQL.
"""

from mainstay.core.errors import StoreRefused
from mainstay.core.idempotency import Bid, Claim, State
from mainstay.state.valkey import Reply, Script, Valkey

# A record is a hash: f fingerprint, t token, l end of the lease in milliseconds since 1970, a
# answer; one that has an answer, be it empty, is done.
_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)"

_BEGIN = Script(
    f"""
local row = redis.call('HMGET', KEYS[1], 'f', 'l', 'a')
{_NOW}
if row[1] then
  if row[3] then return {{3, row[1], row[3]}} end
  if tonumber(row[2]) > now then return {{1, row[1]}} end
  if ARGV[5] ~= '1' or row[1] ~= ARGV[2] then return {{2, row[1]}} end
end
redis.call('HSET', KEYS[1], 't', ARGV[1], 'f', ARGV[2], 'l', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {{0, ARGV[2]}}
""".strip()
)

_FINISH = Script(
    """
local row = redis.call('HMGET', KEYS[1], 't', 'a')
if row[1] ~= ARGV[1] then return 0 end
if not row[2] or row[2] == '' then redis.call('HSET', KEYS[1], 'a', ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
""".strip()
)

_RELEASE = Script(
    """
local row = redis.call('HMGET', KEYS[1], 't', 'a')
if row[1] ~= ARGV[1] or row[2] then return 0 end
return redis.call('DEL', KEYS[1])
""".strip()
)

_RENEW = Script(
    f"""
local row = redis.call('HMGET', KEYS[1], 't', 'a')
if row[1] ~= ARGV[1] or row[2] then return 0 end
{_NOW}
redis.call('HSET', KEYS[1], 'l', now + ARGV[2])
return 1
""".strip()
)

_STATES = (State.OURS, State.BUSY, State.CRASHED, State.DONE)


class ValkeyRecords:
    """Implements ``Records`` of ``service.inbound.idempotency``.

    Safe to share between tasks, threads and loops. A record is forgotten when its time is up.

    Args:
        valkey: The client; its bound is the bound of each call.
    """

    __slots__ = ("_valkey",)

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def begin(self, record: str, bid: Bid) -> Claim:
        """Take a record, or say why not."""
        return _claim(self._valkey.run_script(_BEGIN, (record,), *_words(bid)))

    async def abegin(self, record: str, bid: Bid) -> Claim:
        """As ``begin``, for tasks."""
        return _claim(await self._valkey.arun_script(_BEGIN, (record,), *_words(bid)))

    def finish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """Keep the answer, unless the record has one; False: the token does not hold it."""
        words = (token, answer, _ms(ttl_s))
        return self._valkey.run_script(_FINISH, (record,), *words) == 1

    async def afinish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """As ``finish``, for tasks."""
        words = (token, answer, _ms(ttl_s))
        return await self._valkey.arun_script(_FINISH, (record,), *words) == 1

    def release(self, record: str, token: int) -> bool:
        """Set it free; False: the token does not hold it, or it is done."""
        return self._valkey.run_script(_RELEASE, (record,), token) == 1

    async def arelease(self, record: str, token: int) -> bool:
        """As ``release``, for tasks."""
        return await self._valkey.arun_script(_RELEASE, (record,), token) == 1

    def renew(self, record: str, token: int, lease_s: float) -> bool:
        """Hold it for ``lease_s`` from now; 0 ends the lease. False: as ``release``."""
        return self._valkey.run_script(_RENEW, (record,), token, round(lease_s * 1000)) == 1


def _words(bid: Bid) -> tuple[int | bytes, ...]:
    return bid.token, bid.fingerprint, _ms(bid.lease_s), _ms(bid.ttl_s), int(bid.rerun)


def _ms(seconds: float) -> int:
    # None at all would be forgotten at once.
    return max(1, round(seconds * 1000))


def _claim(reply: Reply) -> Claim:
    if isinstance(reply, list) and isinstance(reply[0], int) and isinstance(reply[1], bytes):
        answer = reply[2] if len(reply) > 2 else None  # noqa: PLR2004  As the script says it.
        if answer is None or isinstance(answer, bytes):
            return Claim(_STATES[reply[0]], reply[1], answer)
    raise StoreRefused("valkey answered what no record says", code="ERR")
