"""Asking databases: with the drivers that are installed, and with one that is not."""

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from mainstay.service.inbound.health import sql
from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import Target


@pytest.fixture
def listening() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def test_without_a_driver_a_connection_has_to_do(
    listening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None in this table is Python's own way of saying that there is no such module.
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    target = Target(scheme="postgresql", hosts=(listening,), path=None)
    found = sql.ask_database(target, f"postgresql://127.0.0.1:{listening[1]}/x", 30)
    assert found == Finding(status=Status.PASS)


def test_an_asynchronous_driver_asks_nothing(
    listening: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sqlalchemy")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    url = f"postgresql+asyncpg://127.0.0.1:{listening[1]}/x"
    target = Target(scheme="postgresql", hosts=(listening,), path=None)
    assert sql.ask_database(target, url, 30) == Finding(status=Status.PASS)


def test_sqlalchemy_asks_what_its_url_names(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    found = sql.ask_sqlalchemy(f"sqlite:///{tmp_path}/shop.db")
    assert found == Finding(status=Status.PASS)


@pytest.mark.parametrize("url", ["nothing", "nosuch://h/d", "sqlite+aiosqlite:///x"])
def test_what_sqlalchemy_cannot_ask_is_left_to_a_connection(url: str) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ImportError):
        sql.ask_sqlalchemy(url)
