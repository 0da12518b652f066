"""What is done about sessions before and after the app; ``asgi.py`` and ``wsgi.py`` act on it."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any

from mainstay.core.clock import Clock
from mainstay.core.errors import PolicyMisused, StoreUnavailable
from mainstay.core.events import Listeners
from mainstay.core.sessions import Ages, Found, Name, Outcome
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import RawHeaders, Refused
from mainstay.service.inbound.sessions.change import Altered, Made
from mainstay.service.inbound.sessions.cookie import Cookie, Signer, name_of
from mainstay.service.inbound.sessions.errors import SessionTooLarge
from mainstay.service.inbound.sessions.events import (
    SessionChangesLost,
    SessionUnavailable,
    UserRevoked,
)
from mainstay.service.inbound.sessions.records import SessionRecords
from mainstay.service.inbound.sessions.refusals import STORE_AWAY
from mainstay.service.inbound.sessions.session import Session
from mainstay.spec import sessions as spec

# A call of the store for threads, the same for tasks, and what both are given. Any: each call has
# its own values. The generator gets what came of it, and ends with the headers of the answer.
Call = tuple[Callable[..., Any], Callable[..., Awaitable[Any]], tuple[Any, ...]]
Steps = Generator[Call, Any, RawHeaders]

_HEX = frozenset("0123456789abcdef")
_HANDLE_MAX = 65
_VARY = (b"vary", b"Cookie")
# RFC 9111, 7.3: a cache may keep a cookie and give it to somebody else.
_NO_STORE = (b"cache-control", b"no-store")


class Sessions:
    """Sessions of an app. Made once for it.

    Args:
        options: As declared.
        records: Where the sessions are.
        clock: For the time of events.
        events: Listeners of what is decided.
        service: Its sessions are apart from those of other services.

    Attributes:
        data_bytes_max: See the declaration.
        eager: Whether a request with a cookie reads its session before the app sees it.
    """

    def __init__(
        self,
        options: spec.Session,
        *,
        records: SessionRecords,
        clock: Clock,
        events: Listeners,
        service: str,
    ) -> None:
        self.data_bytes_max = options.data_bytes_max
        self.eager = options.load == "eager"
        self._records = records
        self._clock = clock
        self._events = events
        self._ages = Ages(
            round(options.ttl_s * 1000),
            round(options.lifetime_s * 1000),
            round(options.touch_s * 1000),
        )
        self._cookie = Cookie.declared(
            options.cookie, secure=options.secure, same_site=options.same_site
        )
        self._signer = Signer([key.reveal().encode() for key in options.keys], service)

    def revoke_user(self, user: str) -> None:
        """End all sessions of a user, wherever they are, as ``bind`` was told of him.

        Raises:
            StoreUnavailable: They may not have ended.
        """
        group = self._signer.group_of(user)
        self._records.revoke(group, self._ages)
        self._tell_revoked(group)

    async def arevoke_user(self, user: str) -> None:
        """As ``revoke_user``, for tasks."""
        group = self._signer.group_of(user)
        await self._records.arevoke(group, self._ages)
        self._tell_revoked(group)

    def revoke(self, handle: str) -> None:
        """End one session by its ``handle``; one that has ended is no error.

        Raises:
            StoreUnavailable: It may not have ended.
            PolicyMisused: That is no handle.
        """
        self._records.drop(_name(handle))

    async def arevoke(self, handle: str) -> None:
        """As ``revoke``, for tasks."""
        await self._records.adrop(_name(handle))

    def identify(self, session: Session) -> Name | None:
        """Return the name that the request's cookie proves; see ``Door``."""
        proved = self._signer.verify(self._cookie.value_in(session.exchange.get(b"cookie")))
        if proved is None:
            return None
        session.identity, session.stale = proved
        return name_of(session.identity)

    def group_in(self, exchange: Exchange) -> str | None:
        """Return the group of the session that the request's cookie proves; None without one.

        A user has one group in all sessions, and a session without a user one of its own. The
        store is not asked: a session that has ended is told apart all the same.
        """
        proved = self._signer.verify(self._cookie.value_in(exchange.get(b"cookie")))
        return None if proved is None else name_of(proved[0]).group

    def load(self, name: Name) -> Found | None:
        """Read a session; see ``Door``."""
        try:
            return self._records.load(name, self._ages)
        except StoreUnavailable:
            self._tell_unavailable("load")
            raise

    async def aload(self, name: Name) -> Found | None:
        """As ``load``."""
        try:
            return await self._records.aload(name, self._ages)
        except StoreUnavailable:
            self._tell_unavailable("load")
            raise

    def keep(self, session: Session) -> RawHeaders:
        """Keep what was changed, and return the headers that the answer needs.

        Raises:
            Refused: The store is away.
            SessionTooLarge: It would become so.
        """
        steps = self._steps(session)
        try:
            method, _, values = next(steps)
            while True:
                method, _, values = steps.send(method(*values))
        except StopIteration as end:
            return _headers(end)
        except StoreUnavailable as error:
            raise self._refused(session, error) from error

    async def akeep(self, session: Session) -> RawHeaders:
        """As ``keep``."""
        steps = self._steps(session)
        try:
            _, method, values = next(steps)
            while True:
                _, method, values = steps.send(await method(*values))
        except StopIteration as end:
            return _headers(end)
        except StoreUnavailable as error:
            raise self._refused(session, error) from error

    def _steps(self, session: Session) -> Steps:
        """Decide what to ask the store for, one call at a time."""
        change = session.change()
        session.closed = True
        if change is None:
            return self._unchanged(session)
        if isinstance(change, Altered):
            return self._altering(session, change)
        if isinstance(change, Made):
            return self._making(session, change)
        return self._ending(session)

    def _unchanged(self, session: Session) -> Steps:
        yield from ()
        if session.failure is not None or not session.stale or session.new:
            return (_VARY,)
        # So that its key can be taken out of the declaration.
        assert session.identity is not None, "what is stale was proved"
        return self._given(session.identity)

    def _altering(self, session: Session, change: Altered) -> Steps:
        records = self._records
        values = (session.name, change.fields, change.removed, self._ages, self.data_bytes_max)
        outcome = yield records.change, records.achange, values
        if outcome is Outcome.FULL:
            raise SessionTooLarge("other requests have filled this session")
        if outcome is Outcome.GONE:
            # The cookie stays: a login beside this request may have given a new one.
            self._tell_lost()
        if session.stale and session.identity is not None:
            return self._given(session.identity)
        return (_VARY,)

    def _making(self, session: Session, change: Made) -> Steps:
        records = self._records
        identity = self._signer.new_id(change.birth.user or None)
        values = (name_of(identity), change.birth, change.fields, self._ages)
        outcome = yield records.create, records.acreate, values
        if session.name is not None:
            # After the new one is there: who loses the store in between is not signed out.
            yield records.drop, records.adrop, (session.name,)
        if outcome is Outcome.GONE:
            self._tell_lost()
            return (_VARY, _NO_STORE, (b"set-cookie", self._cookie.clearing()))
        return self._given(identity)

    def _ending(self, session: Session) -> Steps:
        records = self._records
        yield records.drop, records.adrop, (session.name,)
        return (_VARY, _NO_STORE, (b"set-cookie", self._cookie.clearing()))

    def _given(self, identity: bytes) -> RawHeaders:
        setting = self._cookie.setting(self._signer.sign(identity))
        return (_VARY, _NO_STORE, (b"set-cookie", setting))

    def _refused(self, session: Session, error: StoreUnavailable) -> Refused:
        session.failure = error
        self._tell_unavailable("keep")
        return Refused(STORE_AWAY)

    def _tell_unavailable(self, doing: str) -> None:
        if self._events.listening:
            self._events.emit(SessionUnavailable(at_s=self._clock.wall_s(), doing=doing))

    def _tell_lost(self) -> None:
        if self._events.listening:
            self._events.emit(SessionChangesLost(at_s=self._clock.wall_s()))

    def _tell_revoked(self, group: str) -> None:
        if self._events.listening:
            self._events.emit(UserRevoked(at_s=self._clock.wall_s(), group=group))


def _headers(end: StopIteration) -> RawHeaders:
    # Typed here, since what ends a generator is Any.
    headers: RawHeaders = end.value
    return headers


def _name(handle: str) -> Name:
    group, colon, digest = handle.partition(":")
    if not colon or not {*group, *digest} <= _HEX or len(handle) > _HANDLE_MAX:
        raise PolicyMisused("a session's handle is what `session.handle` was")
    return Name(group, digest)
