"""One wrapped app in a real server, as the laws of the contract see it."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.system.served import GENEROUS_S, OURS, Served, until

ROOT = Path(__file__).parents[3]
APPS = "tests.contract.frameworks.apps"
TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
_numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One framework in one server.

    Attributes:
        app: Its module among the apps.
        server: ``granian`` or ``uvicorn``.
        is_async: Whether handlers are coroutines, which can be cancelled.
        has_sockets: Whether it serves websockets.
        has_lifespan: Whether it hears that the server starts and stops.
        reads_chunks: Whether it reads a body that has no length; Django's WSGI handler doesn't.
        environ: What its process finds in its environment.
    """

    app: str
    server: str
    is_async: bool = True
    has_sockets: bool = True
    has_lifespan: bool = True
    reads_chunks: bool = True
    environ: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        by = dict(self.environ).get("DJANGO_BY", "")
        return "-".join(filter(None, (self.app.removesuffix("_app"), by, self.server)))


def _asgi(app: str, **traits: Any) -> list[Case]:
    """Return a framework on both servers. Any: the fields of ``Case``."""
    return [Case(app=app, server=server, **traits) for server in ("granian", "uvicorn")]


CASES = [
    *_asgi("fastapi_app"),
    *_asgi("starlette_app"),
    *_asgi("litestar_app"),
    *_asgi("quart_app"),
    *_asgi("django_app", has_sockets=False, has_lifespan=False),
    Case(app="flask_app", server="granian", is_async=False, has_sockets=False, has_lifespan=False),
    Case(
        app="django_app",
        server="granian",
        is_async=False,
        has_sockets=False,
        has_lifespan=False,
        reads_chunks=False,
        environ=(("DJANGO_BY", "wsgi"),),
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; the headers' names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed. Any: as JSON is."""
        return json.loads(self.body)


class Running(Served):
    """A served case."""

    def __init__(self, folder: Path, case: Case) -> None:
        port = free_port()
        self.case = case
        super().__init__(
            folder,
            OURS,
            *("--app", f"{APPS}.{case.app}:app", "--server", case.server, "--port", str(port)),
            PYTHONPATH=str(ROOT),
            OWN_URL=f"http://127.0.0.1:{port}",
            **dict(case.environ),
        )
        self.port = port

    @contextmanager
    def asked(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: Any = None,
        by: str = TRUSTED,
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask, and yield the answer once it has begun. Any: what http.client takes as a body."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=GENEROUS_S, source_address=(by, 0)
        )
        try:
            connection.request(
                method, path, body, headers or {}, encode_chunked=isinstance(body, Iterator)
            )
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str, headers: dict[str, str] | None = None, **how: Any) -> Answer:
        """Ask and read the whole answer. Any: as ``asked``."""
        with self.asked(path, headers, **how) as answer:
            body = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=found, body=body)

    def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None, **how: Any
    ) -> Answer:
        """Send a body: bytes with a length, an iterator in chunks."""
        return self.get(path, headers, method="POST", body=body, **how)

    def state(self) -> Any:
        """Return what the app has noted. Any: parsed JSON."""
        return self.get("/state").json

    def idle(self) -> bool:
        """Return whether the wrapper holds nothing any more."""
        state = self.state()
        return (state["in_flight"], state["flights"]) == (0, 0)

    @contextmanager
    def dialled(self) -> Iterator[socket.socket]:
        """Yield a connection, for what no client would do."""
        with socket.create_connection(("127.0.0.1", self.port), GENEROUS_S) as one:
            yield one

    def said(self) -> str:
        """Return stderr so far."""
        return self.err.read_text("utf-8", "replace")

    def complaints(self) -> int:
        """Return how often the wrapper has told of an error itself."""
        return self.said().count("mainstay: ")

    def told(self, sentence: str) -> int:
        """Return how often a sentence was told: in a line of the service, or on stderr."""
        return (self.out.read_text("utf-8", "replace") + self.said()).count(sentence)

    def told_once(self, sentence: str, before: int) -> None:
        """Wait until a sentence was told once more than before, and not twice."""
        until(lambda: self.told(sentence) > before, f"told: {sentence}")
        # Whoever would tell it again would have done so before the answer to another request.
        assert self.get("/json").status == 200
        assert self.told(sentence) == before + 1


def fresh_name() -> str:
    """Return a name that nobody had."""
    return f"n{next(_numbers)}"


def fresh_address() -> str:
    """Return a client's address that nobody had, so that no limit remembers it."""
    number = next(_numbers)
    return f"198.51.{number // 250}.{number % 250 + 1}"
