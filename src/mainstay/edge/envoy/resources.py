"""What Envoy is told, as values, and the files that tell it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mainstay.edge.envoy.protojson import JsonObject

VERSION_DIGITS = 16
"""Of the hash that is a file's version: enough that two contents never share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Everything that Envoy takes while it runs; it belongs together and is pushed as one.

    Attributes:
        clusters: Each has a ``name``; where requests go.
        routes: Each has a ``name``; which cluster gets which request.
        listeners: Each has a ``name``; where requests arrive.
    """

    clusters: tuple[JsonObject, ...] = ()
    routes: tuple[JsonObject, ...] = ()
    listeners: tuple[JsonObject, ...] = ()


class Kind(Enum):
    """A kind of resources; each has one file."""

    CLUSTERS = "cds"
    ROUTES = "rds"
    LISTENERS = "lds"

    @property
    def file(self) -> str:
        """The file's name in Envoy's working folder."""
        return f"{self.value}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """A file that tells Envoy of resources of one kind.

    Attributes:
        kind: Which kind.
        version: A hash of the resources, so equal content is known to be taken: it outlives
            whoever wrote it, and a daemon that comes back need not push again.
        text: The file's content.
    """

    kind: Kind
    version: str
    text: str


def discovery(kind: Kind, resources: Sequence[JsonObject]) -> Discovery:
    """Return the file of ``resources``; the same for the same resources."""
    content = json.dumps(resources, separators=(",", ":"))
    version = hashlib.sha256(content.encode()).hexdigest()[:VERSION_DIGITS]
    text = f'{{"version_info":"{version}","resources":{content}}}\n'
    return Discovery(kind=kind, version=version, text=text)


def discoveries(resources: Resources) -> tuple[Discovery, ...]:
    """Return the files of ``resources``, in the order in which Envoy should take them."""
    return (
        discovery(Kind.CLUSTERS, resources.clusters),
        discovery(Kind.ROUTES, resources.routes),
        discovery(Kind.LISTENERS, resources.listeners),
    )
