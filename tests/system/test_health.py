"""Health against real dependencies: what is asked of a real database and of a real Valkey."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.contract.stores.servers import PartNotFound, Postgres, Valkey
from tests.system.served import GENEROUS_S, Serve
from tests.system.test_drain import get

from mainstay.service.inbound.health.builtin import builtin_checks
from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.sql import ask_psycopg
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency

pytestmark = pytest.mark.system

GOOD = Finding(status=Status.PASS)


def ask(url: str) -> Finding:
    """Ask as the declaration of a dependency has it done."""
    dependencies = (("store", Dependency(url=url)),)
    declared = Declaration(service="s", app="a:b", dependencies=dependencies)
    (check,) = [one for one in builtin_checks(declared, {}) if one.name == "store"]
    found = check.run()
    assert isinstance(found, Finding)
    return found


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    try:
        server = Valkey()
        server.start()
    except PartNotFound as error:
        pytest.skip(str(error))
    yield server
    server.close()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    try:
        server = Postgres()
    except PartNotFound as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.close()


def test_valkey_with_a_password_and_without(valkey: Valkey) -> None:
    assert ask(valkey.url) == GOOD
    with socket.create_connection(("127.0.0.1", valkey.port), 30) as wire:
        wire.sendall(b'CONFIG SET requirepass "s3cret word"\r\n')
        assert wire.recv(16) == b"+OK\r\n"
    assert ask(f"valkey://:s3cret%20word@127.0.0.1:{valkey.port}/0") == GOOD
    assert ask(f"valkey://default:s3cret%20word@127.0.0.1:{valkey.port}") == GOOD
    assert ask(valkey.url).output == "NOAUTH"
    assert ask(f"redis://:wrong@127.0.0.1:{valkey.port}").output == "WRONGPASS"
    valkey.kill()
    assert ask(valkey.url).output == "ConnectionRefusedError"


def test_a_database_answers_and_one_that_is_away_does_not(postgres: Postgres) -> None:
    """Also where the app's own driver is another one: what is asked is the database."""
    assert ask(postgres.url) == GOOD
    assert ask(postgres.url.replace("+psycopg", "+asyncpg")) == GOOD
    postgres.kill()
    with pytest.raises(Exception, match="refused"):
        ask_psycopg(postgres.url, 30)


def test_a_database_that_lets_nobody_in_is_not_healthy(postgres: Postgres) -> None:
    """Where a connection opens and no query passes: what connecting alone would miss."""
    with pytest.raises(Exception, match="does not exist"):
        ask(postgres.url.replace("/postgres", "/nosuch").replace("//nosuch@", "//postgres@"))


@pytest.mark.parametrize(
    ("app", "server"),
    [("narrow_app", "granian"), ("narrow_app", "uvicorn"), ("narrow_threads_app", "granian")],
)
async def test_probes_pass_where_requests_are_turned_away(
    serve: Serve, app: str, server: str
) -> None:
    """Two may be worked on, two may wait, thirty an hour may come: no probe is among them."""
    one = serve(f"drained_apps:{app}", "--server", server, "--threads", "2", LONG_S="300")
    await asyncio.to_thread(one.ready)
    requests = [asyncio.create_task(get(one.port, "/long")) for _ in range(40)]
    async with asyncio.timeout(GENEROUS_S):
        while sum(task.done() for task in requests) < 36:
            await asyncio.wait(requests, timeout=0.1)
    for _ in range(40):
        assert (await asyncio.to_thread(one.ask, "/health/ready"))[0] == 200
    ended = Counter(task.result()[0] for task in requests if task.done())
    assert ended == {503: 26, 429: 10}
    for task in requests:
        task.cancel()
    await asyncio.gather(*requests, return_exceptions=True)


@pytest.mark.parametrize(
    ("app", "server"), [("app", "granian"), ("app", "uvicorn"), ("threads", "granian")]
)
async def test_connections_that_say_nothing_keep_no_probe_out(
    serve: Serve, app: str, server: str
) -> None:
    """More than Granian takes by itself, and more than the files that a process begins with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip("this process may not open enough files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    idle: list[asyncio.StreamWriter] = []
    try:
        one = serve(f"drained_apps:{app}", "--server", server)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))
        await asyncio.to_thread(one.ready)
        while len(idle) < 1500:
            idle.append((await asyncio.open_connection("127.0.0.1", one.port))[1])
        assert (await asyncio.to_thread(one.ask, "/health/ready"))[0] == 200
    finally:
        for writer in idle:
            writer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
