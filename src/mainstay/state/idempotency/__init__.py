"""Records of idempotency keys that all replicas of a service share."""

from typing import TYPE_CHECKING

from mainstay.core.errors import PartMissing
from mainstay.state.idempotency.statements import CREATE_TABLE
from mainstay.state.idempotency.valkey import ValkeyRecords

if TYPE_CHECKING:
    from mainstay.state.idempotency.postgres import PostgresRecords

__all__ = ["CREATE_TABLE", "PostgresRecords", "ValkeyRecords"]


def __getattr__(name: str) -> object:
    if name != "PostgresRecords":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Only for whom it is: psycopg takes a while, and may not be installed.
    try:
        from mainstay.state.idempotency.postgres import PostgresRecords  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PartMissing("psycopg is not installed: pip install 'mainstay[postgres]'") from error
    return PostgresRecords
