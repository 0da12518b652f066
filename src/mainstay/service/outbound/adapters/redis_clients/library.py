"""The two client libraries: one is a fork of the other, and what is used here they share."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

from mainstay.service.outbound.adapters.part import part

_NOT_NOW = (
    "BusyLoadingError", "ClusterDownError", "MasterDownError", "OutOfMemoryError", "ReadOnlyError",
    "TryAgainError",
)  # fmt: skip
"""Answers that say: not now, or not here. Nothing was done."""

_REFUSED = ("AuthenticationError", "AuthorizationError")
"""Answers that the libraries call connection errors, though the server answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One of the libraries, as far as it is used here.

    Attributes:
        name: ``redis`` or ``valkey``: the client class is named so too, with a capital letter.
        sync: The module of the synchronous classes.
        asyncio: The module of the asynchronous ones.
        any_error: The root of its errors.
        lost: The connection broke, or could not be opened.
        timeout: Waited in vain.
        refused: Of ``lost``, those that are answers.
        not_now: The server is there and can't do it now.
        watch: A watched key was changed, or may have been.
    """

    name: str
    sync: ModuleType
    asyncio: ModuleType
    any_error: type[Exception]
    lost: type[Exception]
    timeout: type[Exception]
    refused: tuple[type[Exception], ...]
    not_now: tuple[type[Exception], ...]
    watch: type[Exception]


@cache
def library(name: str) -> Library:
    """Return the library called ``name``, imported on first use.

    Raises:
        PartMissing: It is not installed.
    """
    with part(name):
        sync, aio = import_module(name), import_module(f"{name}.asyncio")
    errors = import_module(f"{name}.exceptions")
    return Library(
        name=name,
        sync=sync,
        asyncio=aio,
        any_error=getattr(errors, f"{name.capitalize()}Error"),
        lost=errors.ConnectionError,
        timeout=errors.TimeoutError,
        refused=tuple(getattr(errors, one) for one in _REFUSED),
        # Not every version knows all of them.
        not_now=tuple(getattr(errors, one) for one in _NOT_NOW if hasattr(errors, one)),
        watch=errors.WatchError,
    )
