"""A process that does the work of a request, says so, and answers only if it is let.

Usage: idempotency_worker.py STORE URL KEY WHERE, where STORE is valkey or postgres, and WHERE says
where it stops: at ``work``, which was done, or at ``commit``, work and answer in one transaction.
"""

import sys
from collections.abc import Callable

import psycopg
from tests.service.inbound.idempotency.drive import Wsgi

from mainstay.service.inbound.idempotency.attempt import idempotency
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import PostgresRecords, ValkeyRecords
from mainstay.state.valkey import Valkey

LEASE_S = 0.5


def records_at(store: str, url: str) -> tuple[Records, Callable[[], None]]:
    """Return a store, and what closes it."""
    if store == "valkey":
        client = Valkey(url, timeout_s=30.0)
        return ValkeyRecords(client), client.close
    records = PostgresRecords(url, timeout_s=30.0)
    return records, records.close


def main() -> None:
    store, url, key, where = sys.argv[1:]
    kind = Wsgi(records=records_at(store, url)[0], lease_s=LEASE_S)

    def work() -> None:
        if where == "commit":
            attempt = idempotency()
            assert attempt is not None
            with psycopg.connect(url.replace("+psycopg", "")) as connection:
                connection.execute("insert into work values (%s)", [key])
                attempt.complete(connection, status=201, body=b"committed")
        print("worked", flush=True)  # noqa: T201  To the test.
        sys.stdin.read()

    kind.during = work
    kind.ask(headers={"idempotency-key": key})


if __name__ == "__main__":
    main()
