"""The ledger: every charge, once for its key, whatever happens to replicas and networks."""

import sqlite3

from shop.database import Database
from shop.payments.charge import Charge, ChargeRequest, KeyReused, decide

SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    key          TEXT PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    status       TEXT NOT NULL CHECK (status IN ('succeeded', 'declined')),
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
    method       TEXT NOT NULL,
    reference    TEXT NOT NULL,
    created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
"""

_COLUMNS = "id, status, amount_cents, method, reference"


class Ledger:
    """Charges in a database that several replicas share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def charge(self, key: str, request: ChargeRequest, *, charge_id: str) -> tuple[Charge, bool]:
        """Charge once for ``key``; return the charge, and whether it had been made before.

        Looking and writing are one transaction: of two requests with one key that arrive at
        once, on two replicas, the second finds what the first wrote.

        Args:
            key: The caller's Idempotency-Key.
            request: What to charge.
            charge_id: The id of the charge, should it be a new one.

        Raises:
            KeyReused: The key was used for another charge.
            sqlite3.OperationalError: The ledger can't be written now.
        """
        with self._database.transaction() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM charges WHERE key = ?",  # noqa: S608  A constant.
                (key,),
            ).fetchone()
            if found is not None:
                return self._same(_charge(found), request), True
            charge = Charge(
                id=charge_id,
                status=decide(request),
                amount_cents=request.amount_cents,
                method=request.method,
                reference=request.reference,
            )
            self._insert(connection, key, charge)
        return charge, False

    def find(self, charge_id: str) -> Charge | None:
        """Return one charge, or None where there is no such id."""
        with self._database.reading() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM charges WHERE id = ?",  # noqa: S608  A constant.
                (charge_id,),
            ).fetchone()
        return None if found is None else _charge(found)

    @staticmethod
    def _same(charge: Charge, request: ChargeRequest) -> Charge:
        made = ChargeRequest(
            amount_cents=charge.amount_cents, method=charge.method, reference=charge.reference
        )
        if made != request:
            raise KeyReused("This Idempotency-Key was used for another charge.")
        return charge

    @staticmethod
    def _insert(connection: sqlite3.Connection, key: str, charge: Charge) -> None:
        connection.execute(
            f"INSERT INTO charges (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                key,
                charge.id,
                charge.status,
                charge.amount_cents,
                charge.method,
                charge.reference,
            ),
        )


def _charge(row: tuple[str, str, int, str, str]) -> Charge:
    charge_id, status, amount_cents, method, reference = row
    return Charge(
        id=charge_id,
        status="succeeded" if status == "succeeded" else "declined",
        amount_cents=amount_cents,
        method=method,
        reference=reference,
    )
