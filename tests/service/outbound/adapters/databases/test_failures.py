"""What errors of database drivers say, for drivers with codes and without."""

import sqlite3

import pytest

from mainstay.service.outbound.adapters.databases.failures import Kind, kind_of


class OperationalError(Exception):
    """As each driver has one, by PEP 249."""

    def __init__(self, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate
        super().__init__(sqlstate)


class Old(Exception):
    """As psycopg2 tells the state."""

    pgcode = "40001"


class IntegrityError(Exception):
    """As each driver has one."""


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", Kind.CONTENTION),
        ("40P01", Kind.CONTENTION),
        ("57014", Kind.TOO_LONG),
        ("57P01", Kind.LOST),
        ("57P03", Kind.NOT_NOW),
        ("53300", Kind.NOT_NOW),
        ("08006", Kind.LOST),
        ("23505", Kind.ANSWER),
        ("42601", Kind.ANSWER),
        ("28P01", Kind.ANSWER),
        (None, Kind.LOST),
    ],
)
def test_by_sqlstate(state: str | None, kind: Kind) -> None:
    assert kind_of(OperationalError(state)) is kind


def test_by_the_older_name_of_the_state() -> None:
    assert kind_of(Old()) is Kind.CONTENTION


def test_without_a_code_the_class_says_it() -> None:
    assert kind_of(IntegrityError()) is Kind.ANSWER
    assert kind_of(ValueError()) is Kind.ANSWER


def test_a_mistake_in_sqlite_is_an_answer_though_its_class_is_operational() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("select * from nothing")
    assert kind_of(caught.value) is Kind.ANSWER
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as closed:
        connection.execute("select 1")
    assert kind_of(closed.value) is Kind.ANSWER


def test_a_file_that_is_no_database_or_cannot_be_opened(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(folder / "missing" / "x.db")
    assert kind_of(caught.value) is Kind.LOST
    (folder / "text.db").write_text("no database" * 1000)
    connection = sqlite3.connect(folder / "text.db")
    with pytest.raises(sqlite3.DatabaseError) as strange:
        connection.execute("select * from sqlite_schema")
    assert kind_of(strange.value) is Kind.NOT_NOW
    connection.close()
