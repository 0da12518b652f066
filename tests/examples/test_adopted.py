"""Datasette, adopted: its declaration, and a database that is what the CSV files say."""

import csv
import sqlite3
from pathlib import Path

import pytest

from mainstay.spec.load import load_system

ADOPTED = Path(__file__).parents[2] / "examples" / "adopted"


def test_the_declaration_is_a_command_with_a_tcp_check() -> None:
    (member,) = load_system(ADOPTED, env=None, environ={}).system.members
    assert member.declaration.app is None
    assert member.declaration.command is not None
    assert member.declaration.command[-2:] == ("--port", "$PORT")
    assert member.declaration.edge.health.kind == "tcp"


def test_the_readme_shows_the_declaration_as_it_is() -> None:
    declaration = (ADOPTED / "mainstay.yaml").read_text("utf-8")
    assert declaration in (ADOPTED / "README.md").read_text("utf-8")


@pytest.mark.parametrize("table", ["berths", "boats", "calls"])
def test_the_database_is_what_the_files_say(table: str) -> None:
    with (ADOPTED / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        columns, *rows = csv.reader(file)
    connection = sqlite3.connect(f"{(ADOPTED / 'harbour.db').as_uri()}?mode=ro", uri=True)
    cursor = connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")  # noqa: S608  Our own names.
    kept = [["" if cell is None else cell for cell in row] for row in cursor]
    connection.close()
    assert len(kept) == len(rows) > 10
    for stored, written in zip(kept, rows, strict=True):
        assert [type(cell)(text) for cell, text in zip(stored, written, strict=True)] == stored


def test_no_two_boats_share_a_berth_at_once() -> None:
    """Real-looking means that it could have happened."""
    connection = sqlite3.connect(f"{(ADOPTED / 'harbour.db').as_uri()}?mode=ro", uri=True)
    overlaps = connection.execute(
        "SELECT count(*) FROM calls a JOIN calls b ON a.call < b.call"
        " AND (a.berth = b.berth OR a.boat = b.boat)"
        " AND a.arrived < b.left AND b.arrived < a.left"
    ).fetchone()
    connection.close()
    assert overlaps == (0,)
