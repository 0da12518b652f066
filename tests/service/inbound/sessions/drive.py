"""Both wrappers as one: an app that touches its session, asked by hand by a client with a jar."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mainstay.core.errors import StoreUnavailable
from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.service.inbound.sessions.asgi import AsgiSessions
from mainstay.service.inbound.sessions.memory import MemorySessions
from mainstay.service.inbound.sessions.session import Session
from mainstay.service.inbound.sessions.session import session as its_session
from mainstay.service.inbound.sessions.sessions import Sessions
from mainstay.service.inbound.sessions.wsgi import WsgiSessions
from mainstay.spec import sessions as spec
from mainstay.spec.kinds.secret import Secret
from mainstay.testing import VirtualClock

OLD = Secret("${file:old}", "an old key of thirty-two letters.")
NEW = Secret("${file:new}", "a new key of thirty-two letters..")
OPTIONS = spec.Session(store="cache", keys=(NEW,))

Touch = Callable[[Session], Any]
"""What the app does with its session; what it returns is its answer, as text."""


class FailingSessions(MemorySessions):
    """Sessions of which any call may find the store away.

    Attributes:
        calls: Names of what was asked.
        fail_at: Which call fails, counted from 0; None: none does.
    """

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock=clock)
        self.calls: list[str] = []
        self.fail_at: int | None = None

    def _count(self, name: str) -> None:
        self.calls.append(name)
        if self.fail_at == len(self.calls) - 1:
            raise StoreUnavailable("away", begun=True)

    def load(self, *args: Any) -> Any:
        self._count("load")
        return super().load(*args)

    def create(self, *args: Any) -> Any:
        self._count("create")
        return super().create(*args)

    def change(self, *args: Any) -> Any:
        self._count("change")
        return super().change(*args)

    def drop(self, *args: Any) -> None:
        self._count("drop")
        super().drop(*args)


@dataclass
class How:
    """How the app goes about it.

    Attributes:
        headers: Of its answer.
        awaits: Whether it awaits the session before it touches it, as a task should.
        catches: Whether it answers 200 when the store is away.
    """

    headers: tuple[tuple[str, str], ...] = ()
    awaits: bool = True
    catches: bool = False


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: str
    kind: str | None = None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Site:
    """One of the two wrappers, its store, and a browser's cookies."""

    def __init__(self, **options: Any) -> None:
        self.clock = VirtualClock()
        self.records = FailingSessions(self.clock)
        self.heard: list[Event] = []
        self.events = Listeners()
        self.events.add(self.heard.append)
        self.sessions = self.made(**options)
        self.jar: dict[str, str] = {}

    def made(self, **options: Any) -> Sessions:
        return Sessions(
            dataclasses.replace(OPTIONS, **options),
            records=self.records,
            clock=self.clock,
            events=self.events,
            service="shop",
        )

    def ask(self, touch: Touch | None = None, **how: Any) -> Reply:
        """Send a request with the jar's cookies, and keep those of the answer.

        Args:
            touch: What the app does with its session; None: it doesn't look at it.
            how: Fields of ``How``.
        """
        try:
            reply = self.answer(touch, How(**how))
        except Refused as refused:
            return Reply(refused.refusal.status, [], "", refused.refusal.kind)
        for one in reply.all("set-cookie"):
            name, _, rest = one.partition("=")
            value = rest.partition(";")[0]
            self.jar[name] = value
            if "Max-Age=0" in rest:
                del self.jar[name]
        return reply

    def exchange(self, scope: dict[str, Any]) -> Exchange:
        exchange = Exchange()
        exchange.scope = scope
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        headers = {b"cookie": cookies.encode("latin-1")} if cookies else {}
        exchange.get = headers.get
        return exchange

    def answer(self, touch: Touch | None, how: "How") -> Reply:
        raise NotImplementedError


class Asgi(Site):
    def answer(self, touch: Touch | None, how: How) -> Reply:
        return asyncio.run(self.aanswer(touch, how))

    async def aanswer(self, touch: Touch | None, how: How) -> Reply:
        sent: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert scope["session"] is its_session()
            said, status = "", 200
            try:
                if touch is not None:
                    if how.awaits:
                        await scope["session"]
                    said = str(touch(scope["session"]))
            except StoreUnavailable:
                said, status = "sorry", 200 if how.catches else 500
            raw = [(name.encode(), value.encode()) for name, value in how.headers]
            await send({"type": "http.response.start", "status": status, "headers": raw})
            await send({"type": "http.response.body", "body": said.encode()})

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {"type": "http"}
        scope["mainstay.exchange"] = self.exchange(scope)
        await AsgiSessions(self.sessions, app)(scope, receive, send)
        named = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
        return Reply(sent[0]["status"], named, sent[1]["body"].decode())


class Wsgi(Site):
    def answer(self, touch: Touch | None, how: How) -> Reply:
        got: list[Any] = [0, []]

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            assert environ["mainstay.session"] is its_session()
            said, status = "", 200
            try:
                if touch is not None:
                    said = str(touch(environ["mainstay.session"]))
            except StoreUnavailable:
                said, status = "sorry", 200 if how.catches else 500
            start_response(f"{status} As It Is", list(how.headers))
            return [said.encode()]

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            got[:] = [int(status[:3]), headers]

        environ: dict[str, Any] = {}
        environ["mainstay.exchange"] = self.exchange(environ)
        body = b"".join(WsgiSessions(self.sessions, app)(environ, start_response))
        return Reply(got[0], got[1], body.decode())


SITES: dict[str, type[Site]] = {"asgi": Asgi, "wsgi": Wsgi}
