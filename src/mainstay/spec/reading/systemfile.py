"""The file of a system: the folders of its services."""

from dataclasses import dataclass

from mainstay.spec.kinds.keys import key
from mainstay.spec.kinds.kinds import ListOf, Text

FOLDERS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFile:
    """A ``mainstay.yaml`` with ``system:`` in it."""

    folders: tuple[str, ...] = key(
        "system",
        ListOf(Text(what="a folder, relative to this file", pattern=r"[^/\\].*"), FOLDERS_MAX),
        doc="Folders of the services, relative to this file; each has a `mainstay.yaml`.",
    )
    name: str | None = key(
        "name",
        Text(
            what="a system's name: lower-case letters, digits and dashes, at most 40",
            pattern=r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?",
        ),
        default=None,
        doc="The system's name; without one, that of the folder.",
    )
