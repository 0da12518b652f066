"""The client libraries that adapters wrap, and how to get the one that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from mainstay.core.errors import PartMissing

_EXTRAS = {
    "greenlet": "postgres",
    "grpc": "grpc",
    "httpx": "http",
    "psycopg": "postgres",
    "redis": "redis",
    "sqlalchemy": "postgres",
}
"""Which extra of Mainstay brings a module; any other is a package of its own name."""


@contextmanager
def part(name: str | None = None) -> Iterator[None]:
    """Import a library within, and say how to get it where it is missing.

    Args:
        name: The module that is needed; None: whichever is missing.

    Raises:
        PartMissing: It is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = name or (error.name or "a part").partition(".")[0]
        package = f"'mainstay[{_EXTRAS[missing]}]'" if missing in _EXTRAS else missing
        raise PartMissing(f"{missing} is not installed: pip install {package}") from error
