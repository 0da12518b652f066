"""Build harbour.db from the CSV files beside this: ``python build.py``."""

import csv
import sqlite3
from pathlib import Path

FOLDER = Path(__file__).parent
DATABASE = FOLDER / "harbour.db"

SCHEMA = """
CREATE TABLE berths (
    berth    TEXT PRIMARY KEY,
    quay     TEXT NOT NULL,
    length_m REAL NOT NULL,
    depth_m  REAL NOT NULL,
    power    INTEGER NOT NULL
);
CREATE TABLE boats (
    boat      TEXT PRIMARY KEY,
    kind      TEXT NOT NULL,
    length_m  REAL NOT NULL,
    draught_m REAL NOT NULL,
    home_port TEXT NOT NULL
);
CREATE TABLE calls (
    call    INTEGER PRIMARY KEY,
    boat    TEXT NOT NULL REFERENCES boats (boat),
    berth   TEXT NOT NULL REFERENCES berths (berth),
    arrived TEXT NOT NULL,
    left    TEXT NOT NULL CHECK (left > arrived),
    cargo   TEXT,
    amount  REAL
);
CREATE INDEX calls_of_boat ON calls (boat);
CREATE INDEX calls_of_berth ON calls (berth);
"""


def rows_of(table: str) -> tuple[list[str], list[list[str | None]]]:
    """Return the columns and the rows of ``<table>.csv``; an empty cell is None."""
    with (FOLDER / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        columns = next(reader)
        return columns, [[cell or None for cell in row] for row in reader]


def build(path: Path) -> None:
    """Write the database to ``path``, in place of what is there."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(SCHEMA)
    for table in ("berths", "boats", "calls"):
        columns, rows = rows_of(table)
        places = ", ".join("?" * len(columns))
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608  Ours.
            rows,
        )
    connection.commit()
    connection.execute("VACUUM")
    connection.close()


if __name__ == "__main__":
    build(DATABASE)
