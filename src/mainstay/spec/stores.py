"""``store: NAME``: a part of a service that stands on one of its dependencies."""

from collections.abc import Iterator, Sequence

from mainstay.spec.dependency import Dependency
from mainstay.spec.faults import Fault, fault_at, nearest, shown
from mainstay.spec.kinds.secret import reveal
from mainstay.spec.sources import Declared

VALKEY_SCHEMES = ("valkey", "valkeys", "redis", "rediss", "unix")
"""Schemes of a URL that leads to Valkey or Redis."""


def store_faults(
    name: str,
    path: str,
    dependencies: Sequence[tuple[str, Dependency]],
    declared: Declared,
    schemes: Sequence[str] = VALKEY_SCHEMES,
) -> Iterator[Fault]:
    """Yield a fault where the store is not declared, or is something else.

    Args:
        name: What ``store`` names.
        path: The dotted path of that key.
        dependencies: Of the same service.
        declared: Where its keys stand.
        schemes: Which the URL of the store may have.
    """
    if not declared.is_sure(path) or not declared.is_sure(f"dependencies.{name}"):
        return
    known = dict(dependencies)
    dependency = known.get(name)
    if dependency is None:
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"declare it under dependencies, as {name}"
        sentence = f"unknown dependency {name}; {hint}"
        yield fault_at(declared.place(path), path, sentence, found=shown(name), nearest=meant)
        return
    if dependency.url is None:
        # A service that is not known here: whoever starts the process says where it is.
        return
    url = reveal(dependency.url)
    if url.partition("://")[0] not in schemes:
        expected = f"a dependency whose url is {', '.join(schemes[:-1])} or {schemes[-1]}"
        sentence = f"{name} can't be the store; expected {expected}"
        yield fault_at(declared.place(path), path, sentence, found=shown(name), expected=expected)
