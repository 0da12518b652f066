"""What an app sees of a session: a dictionary of JSON, read when it is touched, kept if changed."""

import asyncio
import json
from collections.abc import Generator, Iterator, MutableMapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol

from mainstay.core.errors import PolicyMisused, StoreUnavailable
from mainstay.core.sessions import NOW, Birth, Found, Name
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.sessions.change import Altered, Change, Ended, Made
from mainstay.service.inbound.sessions.errors import (
    SessionClosed,
    SessionNotLoaded,
    SessionTooLarge,
    SessionValueInvalid,
)

NAME_CHARACTERS_MAX = 128
USER_CHARACTERS_MAX = 255

_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Door(Protocol):
    """Where a session comes from."""

    data_bytes_max: int

    def identify(self, session: "Session") -> Name | None:
        """Return the name that the request's cookie proves; None without a good one."""
        ...

    def load(self, name: Name) -> Found | None:
        """Return what the store has; raises StoreUnavailable."""
        ...

    async def aload(self, name: Name) -> Found | None:
        """As ``load``."""
        ...


class Session(MutableMapping[str, Any]):
    """One request's session. Any: each value is what JSON can hold.

    In threads it is read by itself when it is first touched. A task says ``await session`` before
    it touches it, unless ``inbound.session.load`` is eager.

    Attributes:
        exchange: The request.
        touched: Whether the app read or changed it: the answer depends on the cookie.
        closed: Whether its answer began.
        failure: What the store raised when it was away; None otherwise.
        identity: What the cookie holds, where it is ours; known when it is read.
        stale: Whether the cookie was signed by a key that is on its way out.
        name: Of the session that the cookie proves; None without a good one, or before it is read.
    """

    __slots__ = (
        "_birth",
        "_cleared",
        "_door",
        "_loaded",
        "_raw",
        "_removed",
        "_renewed",
        "_signed_in",
        "_user",
        "_values",
        "_waits",
        "closed",
        "exchange",
        "failure",
        "identity",
        "name",
        "stale",
        "touched",
    )

    # What was read, as JSON; of a field that is new, an empty text, which is no JSON.
    identity: bytes | None
    name: Name | None
    stale: bool
    _birth: Birth | None
    _raw: dict[str, str]
    _values: dict[str, Any]
    _removed: set[str]

    def __init__(self, door: Door, exchange: Exchange, *, waits: bool) -> None:
        # One is made for each request, and few are touched: the rest is made when it is read.
        self._door = door
        self._waits = waits
        self.exchange = exchange
        self._loaded = False
        self.touched = False
        self.closed = False
        self.failure: StoreUnavailable | None = None

    def __getitem__(self, key: str) -> Any:
        raw = self._read()
        if key not in self._values:
            self._values[key] = json.loads(raw[key])
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._read()))

    def __len__(self) -> int:
        return len(self._read())

    def __contains__(self, key: object) -> bool:
        return key in self._read()

    def __repr__(self) -> str:
        # Never what is in it, and never by reading it.
        return f"<Session {'read' if self._loaded else 'unread'}>"

    def __await__(self) -> Generator[Any, None, "Session"]:
        self.touched = True
        return self._aread().__await__()

    @property
    def missed(self) -> bool:
        """Whether the app touched it in vain, since the store was away."""
        return self.touched and self.failure is not None

    @property
    def user(self) -> str | None:
        """Who is signed in, as ``bind`` was told; None for nobody."""
        self._read()
        return self._user or None

    @property
    def new(self) -> bool:
        """Whether the request came without a session that is alive."""
        self._read()
        return self._birth is None

    @property
    def handle(self) -> str | None:
        """A name for ``Sessions.revoke``; no secret. None where none is in the store yet."""
        self._read()
        return None if self._birth is None or self.name is None else ":".join(self.name)

    def __setitem__(self, key: str, value: Any) -> None:
        raw = self._open()
        if not isinstance(key, str) or len(key) > NAME_CHARACTERS_MAX:  # type: ignore[redundant-expr]  # Callers need not be typed.
            raise SessionValueInvalid(
                f"a name in a session is a text of at most {NAME_CHARACTERS_MAX} characters"
            )
        self._check_size({**raw, key: _json(key, value)})
        raw.setdefault(key, "")
        self._values[key] = value
        self._removed.discard(key)

    def __delitem__(self, key: str) -> None:
        del self._open()[key]
        self._values.pop(key, None)
        self._removed.add(key)

    def clear(self) -> None:
        """End the session, and the user's being signed in; what is set after is a new one."""
        self._open().clear()
        self._values.clear()
        self._removed.clear()
        self._user = ""
        self._signed_in = False
        self._cleared = self._renewed = True

    def rotate(self) -> None:
        """Give the session a new id. Do so whenever what it may do changes; ``bind`` does."""
        self._open()
        self._renewed = True

    def bind(self, user: str) -> None:
        """Say who is signed in now. The session gets a new id, and its lifetime begins anew.

        Args:
            user: What is the same for all sessions of a user, such as an id; 1 to 255 characters.

        Raises:
            SessionValueInvalid: It is no such text.
        """
        self._open()
        if not isinstance(user, str) or not 0 < len(user) <= USER_CHARACTERS_MAX:  # type: ignore[redundant-expr]  # As above.
            raise SessionValueInvalid(f"a user is a text of 1 to {USER_CHARACTERS_MAX} characters")
        _json("user", user)
        self._user = user
        self._signed_in = self._renewed = True

    async def read_ahead(self) -> None:
        """Read it, so that a task may touch it. A store that is away shows when it is touched."""
        with suppress(StoreUnavailable):
            await self._aread()

    def change(self) -> Change | None:
        """Return what is to be kept, or None where nothing was changed.

        Raises:
            SessionValueInvalid: A value was changed from within to something that is no JSON.
            SessionTooLarge: Together they became too large.
        """
        if not self._loaded:
            return None
        texts = {key: _json(key, value) for key, value in self._values.items()}
        changed = {key: text for key, text in texts.items() if self._raw[key] != text}
        if not (changed or self._removed or self._renewed):
            return None
        fields = {**self._raw, **changed}
        self._check_size(fields)
        if not (fields or self._user):
            # Nothing is left of it; a cookie that names nothing goes, too.
            return Ended() if self.name is not None else None
        if self._birth is not None and not self._renewed:
            return Altered(changed, tuple(self._removed))
        return Made(fields, self._new_birth())

    def _new_birth(self) -> Birth:
        before = None if self._cleared else self._birth
        if self._signed_in or before is None:
            return Birth(NOW, NOW if self._signed_in else None, self._user)
        # A new id makes nobody younger: else an old session could be kept alive for ever, and one
        # that is being revoked could slip away.
        return before

    def _take(self, found: Found | None) -> None:
        self._raw, self._birth = ({}, None) if found is None else (found.fields, found.birth)
        self._user = "" if self._birth is None else self._birth.user
        self._values = {}
        self._removed = set()
        self._renewed = self._cleared = self._signed_in = False
        self._loaded = True

    def _is_read(self) -> bool:
        """Return whether it was read. Without a cookie there is nothing to read."""
        if self._loaded:
            return True
        if self.failure is not None:
            raise self.failure
        self.identity, self.stale = None, False
        self.name = self._door.identify(self)
        if self.name is None:
            self._take(None)
        return self._loaded

    def _read(self) -> dict[str, str]:
        """Return the JSON of each field, after reading it where that is still to do."""
        self.touched = True
        # Also without a cookie: what works at the first request only is found too late.
        if self._waits and not self._loaded and self.failure is None and _in_task():
            raise SessionNotLoaded(
                "a task reads its session after `session = await mainstay.session()`, or anywhere "
                "where `inbound.session.load` is `eager`"
            )
        if not self._is_read():
            assert self.name is not None, "else there was nothing to read"
            try:
                self._take(self._door.load(self.name))
            except StoreUnavailable as error:
                self.failure = error
                raise
        return self._raw

    async def _aread(self) -> "Session":
        if not self._is_read():
            assert self.name is not None, "else there was nothing to read"
            try:
                found = await self._door.aload(self.name) if self._waits else None
                self._take(found if self._waits else self._door.load(self.name))
            except StoreUnavailable as error:
                self.failure = error
                raise
        return self

    def _open(self) -> dict[str, str]:
        if self.closed:
            raise SessionClosed("the answer has begun, and the session was kept before it")
        return self._read()

    def _check_size(self, fields: dict[str, str]) -> None:
        size = sum(len(key.encode()) + len(text.encode()) for key, text in fields.items())
        if size > self._door.data_bytes_max:
            raise SessionTooLarge(
                f"a session holds {self._door.data_bytes_max} bytes of JSON, and this is {size}"
            )


def _json(key: str, value: Any) -> str:
    """Return a value as text. Any: what the app puts in."""
    try:
        text = _dumps(value)
        # What UTF-8 can't say, half a surrogate pair, no store can keep.
        text.encode()
        key.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SessionValueInvalid(
            f"the session's {key!r} is no JSON: that is texts, numbers, flags, None, and lists and "
            "dictionaries of these"
        ) from error
    return text


def _in_task() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_current: ContextVar[Session | None] = ContextVar("mainstay_session", default=None)
enter_session = _current.set
leave_session = _current.reset


def session() -> Session:
    """Return the session of the request that is answered here.

    Raises:
        PolicyMisused: None is answered here, or the service declares no sessions.
    """
    found = _current.get()
    if found is None:
        raise PolicyMisused("no session here: declare `inbound.session`, and ask in a request")
    return found
