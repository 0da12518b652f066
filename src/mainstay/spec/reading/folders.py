"""From files and folders to services: finds the files, lays overlays over them, reads them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mainstay.spec.declaration import Declaration
from mainstay.spec.faults import Faults, Place, fault_at, nearest, shown
from mainstay.spec.kinds.kinds import Section
from mainstay.spec.reading import document
from mainstay.spec.reading.document import FILE_BYTES_MAX, Node, read_document
from mainstay.spec.reading.files import (
    Unreadable,
    is_file,
    is_folder,
    is_missing,
    read_bounded,
)
from mainstay.spec.reading.interpolate import secret_reader
from mainstay.spec.reading.overlay import merged
from mainstay.spec.reading.reading import Reader
from mainstay.spec.reading.systemfile import SystemFile
from mainstay.spec.sources import Declared, Note

FILE_NAME = "mainstay.yaml"
ENV_VARIABLE = "MAINSTAY_ENV"

_LEAST = "the least is `service: NAME` and `app: module:attribute`"
_ENV_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?")
_LOOKED_AT_MAX = 1000
"""Folder entries that are looked at to guess what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRead:
    """One service as it was read.

    Attributes:
        declaration: Its values, or None where the file or the name could not be read.
        declared: Where its keys stand.
        inert: Declared keys on which nothing acts, and their places.
        folder: Absolute folder of its file.
    """

    declaration: Declaration | None
    declared: Declared
    inert: tuple[tuple[str, Place], ...]
    folder: Path


class Folders:
    """Reads one service or one system.

    Args:
        faults: Told what is wrong.
        env: The overlays asked for; None takes ``MAINSTAY_ENV``.
        environ: Where ``MAINSTAY_ENV`` and interpolated names come from.

    Attributes:
        root: Absolute folder of the file that was named.
        env: The overlays that lie over the files, or None.
        files: Absolute paths of the files that were read.
        notes: What is worth knowing about the files.
    """

    def __init__(self, *, faults: Faults, env: str | None, environ: Mapping[str, str]) -> None:
        self.root = Path()
        # An empty variable is as good as none, as in a shell.
        self.env = env if env is not None else environ.get(ENV_VARIABLE) or None
        self.files: list[Path] = []
        self.notes: list[Note] = []
        self._env_is_explicit = env is not None
        self._environ = environ
        self._faults = faults
        self._overlaid = False
        self._asked: list[Path] = []

    def read(self, path: Path, *, alone: bool) -> tuple[str | None, list[ServiceRead]]:
        """Return the declared name of a system, or None, and its services.

        Raises:
            ConfigInvalid: Where the first file can't be read at all.
        """
        file = path / FILE_NAME if is_folder(path) else path
        if self.env is not None and _ENV_NAME.fullmatch(self.env) is None:
            expected = "an environment's name such as prod: lower-case letters, digits and dashes"
            self._fault(_top(file), "", f"expected {expected}, found {shown(self.env)}")
            self._faults.raise_any()
        base = self._document(file)
        if base is None:
            self._faults.raise_any()
        assert base is not None, "a file without a document has a fault"
        self.root = file.parent.resolve()
        if isinstance(base, document.Mapping) and base.get("system") is not None:
            if alone:
                sentence = "is the file of a system; a process loads that of its one service"
                self._fault(base.place, "system", sentence)
            name, services = self._system(file, base)
        else:
            name, services = None, [self._service(file, base)]
        if not alone:
            # A service in its own process may be the one of its system without an overlay.
            self._check_env(file)
        return name, services

    def _fault(self, place: Place, path: str, sentence: str, **about: str | None) -> None:
        self._faults.add(fault_at(place, path, sentence, **about))

    def _document(self, file: Path, *, may_be_empty: bool = False) -> Node | None:
        """Return the document of a file, or None with a fault."""
        try:
            data = read_bounded(file, maximum=FILE_BYTES_MAX)
        except Unreadable as error:
            self._fault(_top(file), "", f"can't be read: {error}{_hint(file)}")
            return None
        self.files.append(file.resolve())
        before = self._faults.count
        node = read_document(data, str(file), self._faults)
        if node is None and self._faults.count == before and not may_be_empty:
            self._fault(_top(file), "", f"is empty; {_LEAST}")
        return node

    def _with_overlay(self, file: Path, base: Node, cls: type) -> Node:
        """Return the file's node, and its overlay over it where it has one."""
        self._asked.append(file)
        if self.env is None:
            return base
        overlay = file.with_name(f"{file.stem}.{self.env}{file.suffix}")
        if not is_file(overlay):
            return base
        self._overlaid = True
        over = self._document(overlay, may_be_empty=True)
        return base if over is None else merged(base, over, Section(cls))

    def _reader(self, folder: Path) -> Reader:
        read_secret = secret_reader(folder)
        return Reader(faults=self._faults, environ=self._environ, read_secret=read_secret)

    def _service(self, file: Path, base: Node) -> ServiceRead:
        node = self._with_overlay(file, base, Declaration)
        folder = file.parent.resolve()
        reader = self._reader(folder)
        value = reader.read(node, Declaration)
        assert value is None or isinstance(value, Declaration)
        declared = _declared(node, reader)
        for keys, sentence in value.faults() if value is not None else ():
            # What misses a key that is there, but wrong, is no fault of its own.
            if all(declared.is_sure(key) for key in keys):
                key = next((one for one in keys if declared.has(one)), keys[0])
                self._fault(declared.place(key), key, sentence)
        return ServiceRead(
            declaration=value, declared=declared, inert=tuple(reader.inert), folder=folder
        )

    def _system(self, file: Path, base: Node) -> tuple[str | None, list[ServiceRead]]:
        """Read the file of a system, and each service that it names."""
        node = self._with_overlay(file, base, SystemFile)
        reader = self._reader(self.root)
        value = reader.read(node, SystemFile)
        declared = _declared(node, reader)
        if not isinstance(value, SystemFile):
            return None, []
        whole = not any(path.startswith("system[") for path in reader.suspects)
        if not value.folders and whole and "system" not in reader.suspects:
            self._fault(declared.place("system"), "system", "names no service: a list of folders")
        services: list[ServiceRead] = []
        seen: set[Path] = set()
        for index, folder in enumerate(value.folders):
            # After a broken item the later ones are off by it, so the list's own place must do.
            path = f"system[{index}]" if whole else "system"
            member = file.parent / folder / FILE_NAME
            read = self._member(member, declared.place(path), path, folder, seen)
            if read is None:
                read = ServiceRead(declaration=None, declared=declared, inert=(), folder=self.root)
            services.append(read)
        return value.name, services

    def _member(
        self, file: Path, place: Place, path: str, folder: str, seen: set[Path]
    ) -> ServiceRead | None:
        """Return the service of one folder, or None with a fault."""
        if not is_file(file):
            meant = nearest(folder, _names(self.root, f"*/{FILE_NAME}", parents=True))
            hint = f"; did you mean {meant}?" if meant else ""
            sentence = f"there is no {FILE_NAME} in the folder {shown(folder)}{hint}"
            self._fault(place, path, sentence, found=shown(folder), nearest=meant)
            return None
        if file.resolve() in seen:
            self._fault(place, path, f"the folder {shown(folder)} is named twice")
            return None
        seen.add(file.resolve())
        base = self._document(file)
        if isinstance(base, document.Mapping) and base.get("system") is not None:
            sentence = f"the folder {shown(folder)} holds a system; name its services one by one"
            self._fault(place, path, sentence)
            return None
        return None if base is None else self._service(file, base)

    def _check_env(self, file: Path) -> None:
        """Say so where overlays were asked for and no file has one.

        Asked for by argument, that is a fault. ``MAINSTAY_ENV`` is often set for all programs of a
        machine, so there it is a note, unless it looks like a misspelt one.
        """
        if self.env is None or self._overlaid:
            return
        known = sorted({env for one in self._asked for env in _envs_beside(one)})
        meant = nearest(self.env, known)
        sentence = f"no file has an overlay {file.stem}.{self.env}{file.suffix} beside it"
        if meant is not None:
            sentence += f"; did you mean {meant}?"
        elif known:
            sentence += "; there are: " + ", ".join(known)
        if self._env_is_explicit or meant is not None:
            self._fault(_top(file), "", sentence, found=shown(self.env), nearest=meant)
        else:
            sentence = f"{ENV_VARIABLE} is {self.env}, but {sentence}"
            self.notes.append(Note(service="", path="", place=None, sentence=sentence))


def _declared(node: Node, reader: Reader) -> Declared:
    wrong = frozenset(reader.suspects)
    return Declared(top=node.place, places=reader.places, wrong=wrong)


def _top(file: Path) -> Place:
    return Place(file=str(file), line=1, column=1)


def _names(folder: Path, pattern: str, *, parents: bool = False) -> Iterator[str]:
    """Yield the names of what matches in a folder, bounded."""
    for found in islice(folder.glob(pattern), _LOOKED_AT_MAX):
        yield found.parent.name if parents else found.name


def _envs_beside(file: Path) -> Iterator[str]:
    """Yield the names of the overlays beside a file."""
    for name in _names(file.parent, f"*{file.suffix}"):
        env = name.removesuffix(file.suffix).removeprefix(f"{file.stem}.")
        if name == f"{file.stem}.{env}{file.suffix}" and _ENV_NAME.fullmatch(env):
            yield env


def _hint(file: Path) -> str:
    """Return what may help where a file is not there."""
    if not is_missing(file):
        return ""
    other = file.with_suffix(".yml")
    if is_file(other):
        return f"; there is a {other.name}, rename it to {file.name}"
    return f"; {_LEAST}" if file.name == FILE_NAME and is_folder(file.parent) else ""
