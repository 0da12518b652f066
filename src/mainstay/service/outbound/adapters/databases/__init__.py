"""SQLAlchemy 2 with a policy inside; PostgreSQL (psycopg) and SQLite are bounded in time too."""

from mainstay.service.outbound.adapters.databases.engine import sqlalchemy_engine
from mainstay.service.outbound.adapters.databases.unit import in_transaction

__all__ = ["in_transaction", "sqlalchemy_engine"]
