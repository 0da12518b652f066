"""The tree of errors at the top of ``core/errors.py`` is the one that there is."""

import pkgutil
import re
from importlib import import_module

import mainstay.service.outbound
import mainstay.testing
from mainstay.core import errors
from mainstay.core.errors import MainstayError

ROOMS = (
    "mainstay.core",
    "mainstay.service.address",
    "mainstay.service.outbound",
    "mainstay.testing",
)
"""Whose errors are drawn there."""


def drawn() -> dict[str, str]:
    """Return each name in the drawings, and that of its parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"    ([│├└─ ]*)([A-Z][A-Za-z]+)\b.*", line)
        if match is None:
            continue
        depth, name = len(match[1]) // 4, match[2]
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def below(kind: type[MainstayError]) -> dict[str, str]:
    found = {}
    for one in kind.__subclasses__():
        # Of one name with its parent is a twin that is a client library's error too.
        if one.__module__.startswith(ROOMS) and one.__name__ != kind.__name__:
            found[one.__name__] = kind.__name__
            found |= below(one)
    return found


def test_every_error_is_drawn_below_its_parent() -> None:
    for room in (mainstay.service.outbound, mainstay.testing):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            import_module(module.name)
    import_module("mainstay.service.address")
    assert drawn() == below(MainstayError)
