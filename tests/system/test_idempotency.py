"""A process that is killed between work and answer, and what a repetition is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from tests.contract.stores.servers import Postgres, Server, Valkey, until
from tests.contract.stores.starting import started
from tests.service.inbound.idempotency.drive import Reply, Wsgi
from tests.system.idempotency_worker import LEASE_S, records_at

from mainstay.state.idempotency import CREATE_TABLE

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def valkey() -> Iterator[Server]:
    yield from started(Valkey)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    for server in started(Postgres):
        assert isinstance(server, Postgres)
        with psycopg.connect(server.conninfo) as connection:
            connection.execute(CREATE_TABLE)
            connection.execute("create table work (key text)")
        yield server


class Crash:
    """A worker that was killed with its work done and its answer not given."""

    def __init__(self, store: str, url: str, where: str = "work") -> None:
        self.key = uuid4().hex
        self.store, self.url = store, url
        with subprocess.Popen(
            [sys.executable, Path(__file__).with_name("idempotency_worker.py"), store, url,
             self.key, where],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == b"worked\n"
            process.send_signal(signal.SIGKILL)

    @contextmanager
    def another(self, after_crash: str) -> Iterator[Wsgi]:
        """Make another process's wrapper, which finds what was left."""
        records, close = records_at(self.store, self.url)
        yield Wsgi(records=records, lease_s=LEASE_S, after_crash=after_crash)
        close()

    def ask(self, kind: Wsgi) -> Reply:
        return kind.ask(headers={"idempotency-key": self.key})

    def settled(self, kind: Wsgi) -> Reply:
        """Return what a repetition gets when the lease has ended."""
        replies: list[Reply] = []

        def no_conflict() -> bool:
            replies.append(self.ask(kind))
            return replies[-1].kind != "idempotency-conflict"

        until(no_conflict)
        return replies[-1]


@pytest.mark.parametrize("store", ["valkey", "postgres"])
def test_nobody_does_the_work_again_where_that_may_not_be(
    request: pytest.FixtureRequest, store: str
) -> None:
    crash = Crash(store, request.getfixturevalue(store).url)
    with crash.another("refuse") as kind:
        reply = crash.settled(kind)
        assert (reply.status, reply.kind) == (409, "idempotency-unknown")
        assert crash.ask(kind).kind == "idempotency-unknown"
        assert kind.asked == []


@pytest.mark.parametrize("store", ["valkey", "postgres"])
def test_somebody_does_the_work_again_where_that_may_be(
    request: pytest.FixtureRequest, store: str
) -> None:
    crash = Crash(store, request.getfixturevalue(store).url)
    with crash.another("run") as kind:
        assert crash.settled(kind).status == 201
        assert crash.ask(kind).headers["idempotency-replayed"] == "true"
        assert len(kind.asked) == 1


@pytest.mark.parametrize("after_crash", ["refuse", "run"])
def test_what_was_committed_with_its_work_is_answered(postgres: Postgres, after_crash: str) -> None:
    crash = Crash("postgres", postgres.url, "commit")
    with crash.another(after_crash) as kind:
        reply = crash.ask(kind)
        assert (reply.status, reply.body) == (201, b"committed")
        assert reply.headers["idempotency-replayed"] == "true"
        assert kind.asked == []
    with psycopg.connect(postgres.conninfo) as connection:
        rows = connection.execute("select key from work where key = %s", [crash.key])
        assert rows.fetchall() == [(crash.key,)]
