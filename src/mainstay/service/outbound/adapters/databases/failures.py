"""What an error of a database driver says. Pure: by SQLSTATE, by SQLite's code, or by its class."""

from enum import Enum


class Kind(Enum):
    """What happened.

    Attributes:
        ANSWER: The database answered: a constraint, a type, a mistake in the statement.
        CONTENTION: Others were in the way; the transaction was undone and may be run again.
        TOO_LONG: The statement was cut off.
        NOT_NOW: The database is there and can't do it now: starting, full, too many connections.
        LOST: The connection broke, or could not be opened.
    """

    ANSWER = "answer"
    CONTENTION = "contention"
    TOO_LONG = "too_long"
    NOT_NOW = "not_now"
    LOST = "lost"


_STATES = {
    "40001": Kind.CONTENTION,  # serialization_failure
    "40P01": Kind.CONTENTION,  # deadlock_detected
    "55P03": Kind.CONTENTION,  # lock_not_available
    "57014": Kind.TOO_LONG,  # query_canceled
    "57P01": Kind.LOST,  # admin_shutdown
    "57P02": Kind.LOST,  # crash_shutdown
    "57P03": Kind.NOT_NOW,  # cannot_connect_now
    "57P05": Kind.LOST,  # idle_session_timeout
    "25P03": Kind.LOST,  # idle_in_transaction_session_timeout
}  # fmt: skip

_CLASSES = {
    "08": Kind.LOST,  # connection exception
    "53": Kind.NOT_NOW,  # insufficient resources
}

# Primary result codes; the upper bits say more and are left out.
_SQLITE = {
    5: Kind.CONTENTION,  # SQLITE_BUSY
    6: Kind.CONTENTION,  # SQLITE_LOCKED
    7: Kind.NOT_NOW,  # SQLITE_NOMEM
    9: Kind.TOO_LONG,  # SQLITE_INTERRUPT
    10: Kind.NOT_NOW,  # SQLITE_IOERR
    11: Kind.NOT_NOW,  # SQLITE_CORRUPT
    13: Kind.NOT_NOW,  # SQLITE_FULL
    14: Kind.LOST,  # SQLITE_CANTOPEN
    15: Kind.NOT_NOW,  # SQLITE_PROTOCOL
    26: Kind.NOT_NOW,  # SQLITE_NOTADB
}

_CONNECTION_ERRORS = frozenset({"OperationalError", "InterfaceError"})
"""Classes of PEP 249 that a driver without codes raises where the connection is at fault."""


def kind_of(error: BaseException) -> Kind:
    """Return what an error of a driver says."""
    sqlite_code = getattr(error, "sqlite_errorcode", None)
    if isinstance(sqlite_code, int):
        return _SQLITE.get(sqlite_code & 0xFF, Kind.ANSWER)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str):
        return _STATES.get(state) or _CLASSES.get(state[:2], Kind.ANSWER)
    names = {kind.__name__ for kind in type(error).__mro__}
    if type(error).__module__ == "sqlite3" and "OperationalError" not in names:
        # "Cannot operate on a closed database" is the caller's mistake.
        return Kind.ANSWER
    return Kind.LOST if names & _CONNECTION_ERRORS else Kind.ANSWER
