"""The order book: orders in a database that several replicas share."""

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from shop.database import Database
from shop.storefront.errors import KeyReused
from shop.storefront.order import Line, Order, State

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'declined')),
    name        TEXT NOT NULL,
    email       TEXT NOT NULL,
    payment     TEXT NOT NULL,
    total_cents INTEGER NOT NULL CHECK (total_cents > 0),
    lines       TEXT NOT NULL CHECK (json_valid(lines)),
    charge_id   TEXT,
    created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
"""

_COLUMNS = "id, state, name, email, payment, total_cents, lines"


class OrderBook:
    """Every method may raise sqlite3.OperationalError, and blocks: call it in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_key(self, key: str, fingerprint: str) -> Order | None:
        """Return the order that was placed with ``key``, or None.

        Raises:
            KeyReused: The key belongs to an order with another fingerprint. Without this, whoever
                guesses a key would be shown somebody else's order.
        """
        with self._database.reading() as connection:
            return self._by_key(connection, key, fingerprint)

    def place(self, order: Order, *, key: str, fingerprint: str) -> Order:
        """Keep a pending order; where one with its key is kept already, return that one.

        Raises:
            KeyReused: As in ``by_key``.
        """
        with self._database.transaction() as connection:
            kept = self._by_key(connection, key, fingerprint)
            if kept is not None:
                return kept
            connection.execute(
                f"INSERT INTO orders (key, fingerprint, {_COLUMNS})"  # noqa: S608  A constant.
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    fingerprint,
                    order.id,
                    order.state,
                    order.name,
                    order.email,
                    order.payment,
                    order.total_cents,
                    json.dumps([asdict(line) for line in order.lines]),
                ),
            )
        return order

    def settle(self, order_id: str, state: State, charge_id: str | None) -> bool:
        """Write down what became of a pending order; one that is settled stays as it is.

        Returns:
            Whether it was pending until now. Of several that settle an order, one does.
        """
        with self._database.transaction() as connection:
            settled = connection.execute(
                "UPDATE orders SET state = ?, charge_id = ? WHERE id = ? AND state = 'pending'",
                (state, charge_id, order_id),
            )
            return settled.rowcount == 1

    def find(self, order_id: str) -> Order | None:
        """Return one order, or None where there is no such id."""
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM orders WHERE id = ?",  # noqa: S608  A constant.
                (order_id,),
            ).fetchone()
        return None if row is None else _order(row)

    @staticmethod
    def _by_key(connection: sqlite3.Connection, key: str, fingerprint: str) -> Order | None:
        row = connection.execute(
            f"SELECT fingerprint, {_COLUMNS} FROM orders WHERE key = ?",  # noqa: S608
            (key,),
        ).fetchone()
        if row is None:
            return None
        if row[0] != fingerprint:
            raise KeyReused("This Idempotency-Key was used for another order.")
        return _order(row[1:])


def _order(row: tuple[Any, ...]) -> Order:
    """Return the order of a row. Any: SQLite knows no types; the table's checks do."""
    order_id, state, name, email, payment, total_cents, lines = row
    return Order(
        id=order_id,
        state=state,
        name=name,
        email=email,
        payment=payment,
        total_cents=total_cents,
        lines=tuple(Line(**line) for line in json.loads(lines)),
    )
