"""One SQLite file, several replicas that write it."""

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shop.database import Database
from shop.payments.charge import ChargeRequest
from shop.payments.ledger import SCHEMA, Ledger

EXAMPLES = Path(__file__).parents[2] / "examples"
WRITERS = 8
CHARGES = 25

WRITER = """
import sys
from pathlib import Path
from shop.database import Database
from shop.payments.charge import ChargeRequest
from shop.payments.ledger import SCHEMA, Ledger

database = Database(Path(sys.argv[1]), SCHEMA)
database.open()
ledger = Ledger(database)
new = 0
for n in range(int(sys.argv[3])):
    for key, own in ((f"{sys.argv[2]}-{n}", True), (f"shared-{n}", False)):
        request = ChargeRequest(amount_cents=100 + n, method="card", reference=key)
        made, before = ledger.charge(request, charge_id=f"{sys.argv[2]}/{key}")
        new += not before
        assert own is False or not before
database.close()
print(new)
"""


def _count(path: Path) -> int:
    connection = sqlite3.connect(path)
    rows: int = connection.execute("SELECT count(*) FROM charges").fetchone()[0]
    connection.close()
    return rows


@pytest.mark.system
def test_eight_processes_that_start_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data" / "payments.db"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number), str(CHARGES)],
            cwd=EXAMPLES,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    ends = [(*writer.communicate(timeout=100), writer.returncode) for writer in writers]
    assert [(error, code) for _, error, code in ends] == [("", 0)] * WRITERS
    # Each its own, and each of the shared keys once, whoever came first.
    assert sum(int(out) for out, _, _ in ends) == (WRITERS + 1) * CHARGES == _count(path)


def test_eight_threads_lose_and_double_nothing(tmp_path: Path) -> None:
    databases = [Database(tmp_path / "payments.db", SCHEMA) for _ in range(2)]
    for database in databases:
        database.open()

    def write(number: int) -> int:
        ledger = Ledger(databases[number % 2])
        requests = [
            ChargeRequest(amount_cents=1, method="card", reference=f"r{n}") for n in range(10)
        ]
        return sum(
            not ledger.charge(request, charge_id=f"{number}-{n}")[1]
            for n, request in enumerate(requests)
        )

    with ThreadPoolExecutor(8) as threads:
        new = sum(threads.map(write, range(8)))
    for database in databases:
        database.close()
    assert new == 10 == _count(tmp_path / "payments.db")


def test_an_error_in_a_transaction_undoes_all_of_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", "CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    database.open()

    def half_done() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise KeyError("in the middle")

    with pytest.raises(KeyError, match="in the middle"):
        half_done()
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
    database.close()


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "data" / "x.db", "CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    database.open()
    with database.transaction() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) & 0o077
        for path in (tmp_path / "data", *(tmp_path / "data").iterdir())
    }
    database.close()
    assert "x.db-wal" in modes
    assert set(modes.values()) == {0}


def test_a_check_tells_whether_it_is_open(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", "CREATE TABLE IF NOT EXISTS t (n INTEGER)")
    with pytest.raises(sqlite3.OperationalError, match="not open"):
        database.check()
    database.open()
    database.check()
    database.close()
