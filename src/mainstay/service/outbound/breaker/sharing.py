"""From ``breaker.share`` to where a circuit is told of: a file of this host, or a store."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstay.core.sockets import SHORT_ROOT
from mainstay.service.address import base_url
from mainstay.service.outbound.breaker.host_share import HostBreakerState
from mainstay.service.outbound.breaker.shared import SharedBreakerState
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import HOST

_RUN_VARIABLE = "MAINSTAY_RUN_DIR"
_DECLARATION_VARIABLE = "MAINSTAY_DECLARATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Where a circuit is told of. Equal ones need no change.

    Attributes:
        name: Of the circuit: that of the service, and of the dependency.
        file: Of this host; None: it is a store.
        url: Of the store; empty where there is a file.
    """

    name: str
    file: Path | None = None
    url: str = ""


def declared_sharing(
    name: str, declaration: Declaration, environ: Mapping[str, str]
) -> Sharing | None:
    """Return where the circuit of a dependency is told of, or None: nowhere.

    Args:
        name: As declared.
        declaration: Of the calling service.
        environ: Where the engine says where things are.

    Raises:
        AddressUnknown: Nobody said where the store is.
    """
    breaker = dict(declaration.dependencies)[name].breaker
    if breaker is None or breaker.share is None:
        return None
    # Names of services and dependencies have no dot.
    circuit = f"{declaration.service}.{name}"
    if breaker.share == HOST:
        return Sharing(name=circuit, file=host_file(circuit, environ))
    return Sharing(name=circuit, url=base_url(breaker.share, declaration, environ))


def shared_state(sharing: Sharing, stores: Stores) -> SharedBreakerState:
    """Return where the circuit is told of. Nothing is opened or connected to.

    Raises:
        ConfigInvalid: The URL leads to no such store, or there are no stores.
        PartMissing: The library for it is not installed.
    """
    if sharing.file is not None:
        return HostBreakerState(sharing.file)
    return stores.breakers(sharing.url).of(sharing.name)


def host_file(circuit: str, environ: Mapping[str, str]) -> Path:
    """Return the file that all processes of one service on this host, and of this user, have.

    It is in ``MAINSTAY_RUN_DIR``, where somebody said which that is. Otherwise it is in one folder
    for each user (see ``SHORT_ROOT``), and two copies of a project do not meet: the folder of the
    declaration is a part of its name.

    Args:
        circuit: Its name.
        environ: ``MAINSTAY_RUN_DIR``, and ``MAINSTAY_DECLARATION``: without that the process
            stands where its declaration is.
    """
    told = environ.get(_RUN_VARIABLE)
    if told:
        return Path(told).resolve() / f"{circuit}.breaker"
    declared = Path(environ.get(_DECLARATION_VARIABLE) or ".").resolve()
    # The variable names the file or its folder.
    folder = declared.parent if declared.suffix in {".yaml", ".yml"} else declared
    place = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return SHORT_ROOT / f"mainstay-{os.getuid()}-run" / f"{circuit}.{place}.breaker"
