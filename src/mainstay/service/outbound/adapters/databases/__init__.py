"""SQLAlchemy 2 with a policy inside; PostgreSQL (psycopg) and SQLite are bounded in time too."""

from importlib import import_module
from typing import TYPE_CHECKING

from mainstay.service.outbound.adapters.part import part

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.async_engine import async_sqlalchemy_engine
    from mainstay.service.outbound.adapters.databases.async_unit import async_in_transaction

with part("sqlalchemy"):
    import_module("sqlalchemy")

# Need SQLAlchemy itself, so they come after the sentence above.
from mainstay.service.outbound.adapters.databases.engine import sqlalchemy_engine
from mainstay.service.outbound.adapters.databases.unit import in_transaction

__all__ = [
    "async_in_transaction",
    "async_sqlalchemy_engine",
    "in_transaction",
    "sqlalchemy_engine",
]

# Loaded on first use: SQLAlchemy's own asynchronous half can't be imported without greenlet.
_LATE = {"async_in_transaction": "async_unit", "async_sqlalchemy_engine": "async_engine"}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with part("greenlet"):
        import_module("greenlet")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
