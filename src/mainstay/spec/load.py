"""The door: from files to a system of values, or every fault at once.

``load_system`` is what commands use; ``load_service`` is for a service's own process, where the
other services of its system need not be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainstay.spec.check import system_faults
from mainstay.spec.declaration import Member, System
from mainstay.spec.faults import Faults
from mainstay.spec.reading.folders import Folders
from mainstay.spec.sources import Note, Source, all_sources

_INERT = "read and checked; nothing acts on it in this version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A system without faults, and what is known about its files.

    Attributes:
        system: The services.
        sources: For each service, each key by dotted path, and where its value came from.
        notes: What is worth knowing, such as keys on which nothing acts in this version.
        files: Absolute paths of all files that were read, overlays included, secrets not.
        env: The name of the overlays that were asked for, or None.
    """

    system: System
    sources: Mapping[str, Mapping[str, Source]]
    notes: tuple[Note, ...]
    files: tuple[Path, ...]
    env: str | None

    def source(self, service: str, path: str) -> Source:
        """Return where the value of one key came from; KeyError where there is no such key."""
        return self.sources[service][path]


def load_system(path: Path | str, *, env: str | None = None, environ: Mapping[str, str]) -> Loaded:
    """Load a service or a system, overlays included, and check it as a whole.

    Args:
        path: A declaration, or the folder of a ``mainstay.yaml``. Faults name files as this does.
        env: Which ``mainstay.<env>.yaml`` lies over each file; None takes ``MAINSTAY_ENV``.
        environ: Where ``${NAME}`` comes from, and ``MAINSTAY_ENV``. A service that is not part of
            the system is known nevertheless by ``MAINSTAY_URL_<SERVICE>``.

    Raises:
        ConfigInvalid: With every fault of all files, in the order of their place.
    """
    return _load(Path(path), env=env, environ=environ, alone=False)


def load_service(path: Path | str, *, env: str | None = None, environ: Mapping[str, str]) -> Loaded:
    """Load one service for its own process; as ``load_system``, but services need not be known.

    Raises:
        ConfigInvalid: With every fault; also where ``path`` is a system.
    """
    return _load(Path(path), env=env, environ=environ, alone=True)


def _load(path: Path, *, env: str | None, environ: Mapping[str, str], alone: bool) -> Loaded:
    faults = Faults()
    folders = Folders(faults=faults, env=env, environ=environ)
    name, services = folders.read(path, alone=alone)
    read = [(one, one.declaration) for one in services if one.declaration is not None]
    members = tuple(Member(declaration=value, folder=one.folder) for one, value in read)
    root = folders.root
    lone = members[0].name if len(members) == 1 and root == members[0].folder else None
    system = System(name=name or lone or root.name or "system", root=root, members=members)
    # Where a service could not be read, nobody can say which names are unknown.
    unsure = alone or len(read) < len(services)
    declared = tuple(one.declared for one, _ in read)
    for fault in system_faults(system, declared, environ=environ, alone=unsure):
        faults.add(fault)
    faults.raise_any()
    inert = [
        Note(service=value.service, path=key, place=place, sentence=_INERT)
        for one, value in read
        for key, place in one.inert
    ]
    return Loaded(
        system=system,
        sources={value.service: all_sources(value, one.declared.places) for one, value in read},
        notes=(*folders.notes, *inert),
        files=tuple(folders.files),
        env=folders.env,
    )
