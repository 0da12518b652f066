"""The WSGI side: the twin of ``asgi.py`` for apps that answer in a thread."""

from collections.abc import Iterable
from typing import Any

from mainstay.service.inbound.exchange import EXCHANGE_KEY
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.service.inbound.sessions.refusals import STORE_AWAY
from mainstay.service.inbound.sessions.session import Session, enter_session, leave_session
from mainstay.service.inbound.sessions.sessions import Sessions
from mainstay.service.inbound.wsgi.types import Environ, StartResponse, WsgiApp

SESSION_KEY = "mainstay.session"
_FAILED = "5"


class WsgiSessions:
    """A WSGI app that gives another one its session.

    Args:
        sessions: What decides.
        app: The wrapped app.
    """

    __slots__ = ("_app", "_sessions")

    def __init__(self, sessions: Sessions, app: WsgiApp) -> None:
        self._sessions = sessions
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, whose exchange the shell has put into its environ."""
        session = Session(self._sessions, environ[EXCHANGE_KEY], waits=False)
        environ[SESSION_KEY] = session
        passage = _Passage(self._sessions, session, start_response)
        token = enter_session(session)
        try:
            return self._app(environ, passage.start_response)
        except Exception as error:
            if session.missed and not passage.begun:
                raise Refused(STORE_AWAY) from error
            raise
        finally:
            leave_session(token)


class _Passage:
    """The way of one answer: the session is kept before its head goes out."""

    __slots__ = ("_session", "_sessions", "_start_response", "begun")

    def __init__(self, sessions: Sessions, session: Session, start_response: StartResponse) -> None:
        self._sessions = sessions
        self._session = session
        self._start_response = start_response
        self.begun = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        """Keep the session and hand the head on. Any: see the types above."""
        session = self._session
        if not self.begun:
            if session.missed and status.startswith(_FAILED):
                # The app could not answer without its session, which is our fault, not its own.
                raise Refused(STORE_AWAY) from session.failure
            if session.touched:
                headers = self._kept(headers)
            session.closed = self.begun = True
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    def _kept(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        caches = any(name.lower() == "cache-control" for name, _ in headers)
        more = [
            (name.decode("ascii"), value.decode("ascii"))
            for name, value in self._sessions.keep(self._session)
            if not (caches and name == b"cache-control")
        ]
        return [*headers, *more]
