"""The ledger: every reference charged once, whatever happens to replicas and networks."""

import sqlite3

from shop.database import Database
from shop.payments.charge import Charge, ChargeRequest, ReferenceCharged, decide

# `key` is what there is once: the reference.
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

    def charge(self, request: ChargeRequest, *, charge_id: str) -> tuple[Charge, bool]:
        """Charge the reference once; return the charge, and whether it had been made before.

        Looking and writing are one transaction: of two requests for one reference that arrive at
        once, on two replicas, the second finds what the first wrote.

        Args:
            request: What to charge.
            charge_id: The id of the charge, should it be a new one.

        Raises:
            ReferenceCharged: Another charge was made for the reference.
            sqlite3.OperationalError: The ledger can't be written now.
        """
        with self._database.transaction() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM charges WHERE key = ?",  # noqa: S608  A constant.
                (request.reference,),
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
            self._insert(connection, charge)
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
            raise ReferenceCharged("Another charge was made for this reference.")
        return charge

    @staticmethod
    def _insert(connection: sqlite3.Connection, charge: Charge) -> None:
        connection.execute(
            f"INSERT INTO charges (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                charge.reference,
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
