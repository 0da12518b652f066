"""Asking a database for ``select 1``, by whichever driver is installed; else by connecting.

A connection of its own each time: one from the app's pool would prove less, and there is none
here. The drivers are looked for by name, since none of them is needed.
"""

import contextlib
import importlib
from typing import Any

from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import Target, connect

POSTGRESQL = frozenset({"postgresql", "postgres"})
SCHEMES = POSTGRESQL | {"mysql", "mariadb", "mssql", "oracle"}


def ask_database(target: Target, url: str, timeout_s: float) -> Finding:
    """Ask a database for ``select 1``; where nothing installed can, open a connection.

    Args:
        target: Where it is.
        url: Its whole URL, with the password.
        timeout_s: How long it may take.

    Raises:
        Exception: Whatever the driver raises when the database does not answer.
    """
    with contextlib.suppress(ImportError):
        if target.scheme in POSTGRESQL:
            return ask_psycopg(url, timeout_s)
    with contextlib.suppress(ImportError):
        return ask_sqlalchemy(url)
    return connect(target, timeout_s)


def ask_psycopg(url: str, timeout_s: float) -> Finding:
    """Ask PostgreSQL by psycopg, whatever driver the URL names.

    Raises:
        ImportError: It is not installed.
    """
    psycopg: Any = importlib.import_module("psycopg")  # Any: it may be missing.
    _, _, rest = url.partition("://")
    # libpq counts in whole seconds, of which it makes at least two; the board is exact.
    waited_s = max(2, round(timeout_s))
    with contextlib.closing(
        psycopg.connect(f"postgresql://{rest}", connect_timeout=waited_s, autocommit=True)
    ) as connection:
        return _finding(connection.execute("select 1").fetchone())


def ask_sqlalchemy(url: str) -> Finding:
    """Ask by SQLAlchemy and the driver that the URL names; the board bounds the time.

    Raises:
        ImportError: One of both is not installed, or the driver is an asynchronous one.
    """
    sqlalchemy: Any = importlib.import_module("sqlalchemy")  # Any: it may be missing.
    try:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError) as error:
        raise ImportError("SQLAlchemy knows no driver for this URL") from error
    if engine.dialect.is_async:
        raise ImportError("an asynchronous driver asks nothing in a thread")
    try:
        with engine.connect() as connection:
            return _finding(connection.execute(sqlalchemy.text("select 1")).fetchone())
    finally:
        engine.dispose()


def _finding(row: Any) -> Finding:
    # Any: of whichever driver.
    good = row is not None and row[0] == 1
    return Finding(status=Status.PASS if good else Status.FAIL)
