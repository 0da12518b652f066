"""Finds and reads the declaration of this process's service."""

import os
from pathlib import Path

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.declaration import Declaration, System

_DECLARATION_VARIABLE = "MAINSTAY_DECLARATION"
_SERVICE_VARIABLE = "MAINSTAY_SERVICE"
_DECLARATION_FILE = "mainstay.yaml"


def read_declaration(
    path: str | Path | None = None, *, env: str | None = None, usual: str | None = None
) -> Declaration:
    """Return what the service of this process declares.

    Args:
        path: A file or its folder; None takes $MAINSTAY_DECLARATION, else ./mainstay.yaml.
        env: Which overlay (``mainstay.<env>.yaml``) lies over it; None as the door decides.
        usual: The service where $MAINSTAY_SERVICE says none; None: the only one there is.

    Raises:
        ConfigInvalid: With every fault of the file, or because nobody said which service.
    """
    source = Path(path or os.environ.get(_DECLARATION_VARIABLE) or _DECLARATION_FILE)
    return own_declaration(_read(source, env), os.environ.get(_SERVICE_VARIABLE) or usual)


def own_declaration(system: System, service: str | None) -> Declaration:
    """Return the declaration of this process's service.

    Args:
        system: What was loaded.
        service: What $MAINSTAY_SERVICE says, or None.

    Raises:
        ConfigInvalid: The system has several services and none, or an unknown one, was named.
    """
    names = ", ".join(member.name for member in system.members)
    if service:
        try:
            return system.member(service).declaration
        except KeyError:
            raise ConfigInvalid(
                (f"{_SERVICE_VARIABLE} says {service!r}, but {system.name} has: {names}",)
            ) from None
    if len(system.members) == 1:
        return system.members[0].declaration
    raise ConfigInvalid(
        (f"{system.name} has several services ({names}): set {_SERVICE_VARIABLE} to one of them",)
    )


def _read(path: Path, env: str | None) -> System:
    """Read the file of one service, which need not know the others, or that of a system."""
    # Only here: reading needs PyYAML, and a Service can be made without a file.
    from mainstay.spec.load import load_service, load_system  # noqa: PLC0415

    try:
        return load_service(path, env=env, environ=os.environ).system
    except ConfigInvalid as error:
        if not any(getattr(fault, "path", None) == "system" for fault in error.faults):
            raise
    return load_system(path, env=env, environ=os.environ).system
