"""The ASGI side: puts a session into each scope, and keeps it before the answer begins."""

from collections.abc import Awaitable

from mainstay.service.inbound.asgi.messages import NOTHING
from mainstay.service.inbound.asgi.types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import EXCHANGE_KEY
from mainstay.service.inbound.problems.refusal import RawHeaders, Refused
from mainstay.service.inbound.sessions.refusals import STORE_AWAY
from mainstay.service.inbound.sessions.session import Session, enter_session, leave_session
from mainstay.service.inbound.sessions.sessions import Sessions

SESSION_KEY = "session"
"""Where Starlette and what stands on it look for one."""

_FAILED = 500
_BEGINNINGS = frozenset({"http.response.start", "websocket.accept"})


class AsgiSessions:
    """An ASGI app that gives another one its session.

    Args:
        sessions: What decides.
        app: The wrapped app.
    """

    __slots__ = ("_app", "_eager", "_sessions")

    def __init__(self, sessions: Sessions, app: AsgiApp) -> None:
        self._sessions = sessions
        self._app = app
        self._eager = sessions.eager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whose exchange the shell has put into its scope."""
        session = Session(self._sessions, scope[EXCHANGE_KEY], waits=True)
        scope[SESSION_KEY] = session
        passage = _Passage(self._sessions, session, send)
        token = enter_session(session)
        try:
            if self._eager:
                await session.read_ahead()
            await self._app(scope, receive, passage.send)
        except Exception as error:
            if passage.refuses(error):
                raise Refused(STORE_AWAY) from error
            raise
        finally:
            leave_session(token)
        if passage.refused:
            raise Refused(STORE_AWAY) from session.failure


class _Passage:
    """The way of one answer: the session is kept before its first message."""

    __slots__ = ("_begun", "_send", "_session", "_sessions", "refused")

    def __init__(self, sessions: Sessions, session: Session, send: Send) -> None:
        self._sessions = sessions
        self._session = session
        self._send = send
        self._begun = False
        self.refused = False

    def send(self, message: Message) -> Awaitable[None]:
        """Hand a message on; before the first one, keep the session."""
        if self._begun or message["type"] not in _BEGINNINGS:
            return NOTHING if self.refused else self._send(message)
        session = self._session
        if session.missed and message.get("status", 0) >= _FAILED:
            # The app could not answer without its session, which is our fault and not its own.
            self.refused = True
            return NOTHING
        self._begun = True
        if not session.touched:
            session.closed = True
            return self._send(message)
        return self._keep(message)

    def refuses(self, error: Exception) -> bool:
        """Return whether the client is to hear that the store was away, and not of ``error``."""
        missed = self._session.missed and not self._begun
        return missed or (self.refused and not isinstance(error, Refused))

    async def _keep(self, message: Message) -> None:
        try:
            headers = await self._sessions.akeep(self._session)
        except Refused:
            # What the app says to that has no place any more.
            self.refused = True
            self._begun = False
            raise
        names = {name.lower() for name, _ in message.get("headers", ())}
        await self._send({**message, "headers": _together(message, headers, names)})


def _together(message: Message, headers: RawHeaders, names: set[bytes]) -> list[object]:
    # What the app says about caches stays; a second Vary or Set-Cookie adds to the first.
    more = [pair for pair in headers if pair[0] != b"cache-control" or pair[0] not in names]
    return [*message.get("headers", ()), *more]
