"""Sessions in one Valkey: each call one script and one round trip."""

from collections.abc import Mapping, Sequence

from mainstay.core.errors import PolicyMisused, StoreRefused
from mainstay.core.sessions import Ages, Birth, Found, Name, Outcome
from mainstay.state.sessions.scripts import CHANGE, CREATE, LOAD, REVOKE
from mainstay.state.valkey import Reply, Valkey, Word

PREFIX_BYTES_MAX = 100
_OUTCOMES = (Outcome.DONE, Outcome.GONE, Outcome.FULL)


class ValkeySessions:
    """Implements ``SessionRecords`` of ``service.inbound.sessions``.

    Safe to share between tasks, threads and loops. Keys are ``{prefix:group}:session:digest`` and
    ``{prefix:group}:ended``; sessions are forgotten when they end.

    Args:
        valkey: The client; its bound is the bound of each call.
        prefix: Of this service's keys: 1 to 100 bytes, no braces.

    Raises:
        PolicyMisused: The prefix is none.
    """

    __slots__ = ("_prefix", "_valkey")

    def __init__(self, valkey: Valkey, *, prefix: str = "mainstay") -> None:
        if not 0 < len(prefix.encode()) <= PREFIX_BYTES_MAX or {"{", "}"} & set(prefix):
            raise PolicyMisused("a prefix has 1 to 100 bytes, and no braces")
        self._valkey = valkey
        self._prefix = prefix

    def load(self, name: Name, ages: Ages) -> Found | None:
        """Return a session, and extend it where that is due; None where there is none."""
        return _found(self._valkey.run_script(LOAD, self._keys(name), *ages))

    async def aload(self, name: Name, ages: Ages) -> Found | None:
        """As ``load``, for tasks."""
        return _found(await self._valkey.arun_script(LOAD, self._keys(name), *ages))

    def create(self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages) -> Outcome:
        """Make a session. GONE: its user was signed out since it was bound, or it is too old."""
        words = _creating(birth, fields, ages)
        return _outcome(self._valkey.run_script(CREATE, self._keys(name), *words))

    async def acreate(
        self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages
    ) -> Outcome:
        """As ``create``, for tasks."""
        words = _creating(birth, fields, ages)
        return _outcome(await self._valkey.arun_script(CREATE, self._keys(name), *words))

    def change(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """Set and remove fields of a session; names and texts together are at most ``size``."""
        words = _changing(fields, removed, ages, size)
        return _outcome(self._valkey.run_script(CHANGE, self._keys(name), *words))

    async def achange(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """As ``change``, for tasks."""
        words = _changing(fields, removed, ages, size)
        return _outcome(await self._valkey.arun_script(CHANGE, self._keys(name), *words))

    def drop(self, name: Name) -> None:
        """End a session; one that is not there is no error."""
        self._valkey.call("DEL", self._keys(name)[0])

    async def adrop(self, name: Name) -> None:
        """As ``drop``, for tasks."""
        await self._valkey.acall("DEL", self._keys(name)[0])

    def revoke(self, group: str, ages: Ages) -> None:
        """End all sessions of a user that were bound until now."""
        self._valkey.run_script(REVOKE, (self._ended(group),), ages.lifetime_ms)

    async def arevoke(self, group: str, ages: Ages) -> None:
        """As ``revoke``, for tasks."""
        await self._valkey.arun_script(REVOKE, (self._ended(group),), ages.lifetime_ms)

    def _keys(self, name: Name) -> tuple[str, str]:
        return f"{{{self._prefix}:{name.group}}}:session:{name.digest}", self._ended(name.group)

    def _ended(self, group: str) -> str:
        return f"{{{self._prefix}:{group}}}:ended"


def _creating(birth: Birth, fields: Mapping[str, str], ages: Ages) -> list[Word]:
    bound: Word = "" if birth.bound is None else birth.bound
    words: list[Word] = [ages.ttl_ms, ages.lifetime_ms, birth.created, bound, birth.user]
    return words + _pairs(fields)


def _changing(
    fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
) -> list[Word]:
    words: list[Word] = [ages.ttl_ms, ages.lifetime_ms, size, len(fields)]
    return [*words, *_pairs(fields), *("." + name for name in removed)]


def _pairs(fields: Mapping[str, str]) -> list[Word]:
    return [word for name, text in fields.items() for word in ("." + name, text)]


def _outcome(reply: Reply) -> Outcome:
    if isinstance(reply, int) and 0 <= reply < len(_OUTCOMES):
        return _OUTCOMES[reply]
    raise StoreRefused("valkey answered what no session says", code="ERR")


def _found(reply: Reply) -> Found | None:
    if reply is None:
        return None
    words = (
        [one.decode() for one in reply if isinstance(one, bytes)] if isinstance(reply, list) else []
    )
    row = dict(zip(words[::2], words[1::2], strict=True))
    fields = {name[1:]: text for name, text in row.items() if name.startswith(".")}
    try:
        bound = int(row["b"]) if "b" in row else None
        return Found(fields, Birth(int(row["c"]), bound, row.get("u", "")))
    except (KeyError, ValueError) as error:
        raise StoreRefused("valkey has something else in a session's place", code="ERR") from error
