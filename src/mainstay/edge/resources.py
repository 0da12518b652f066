"""What Envoy is told, as values, and the files that tell it."""

import hashlib
import json
from dataclasses import dataclass

from mainstay.edge.protojson import JsonObject

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


def discovery_text(resources: tuple[JsonObject, ...]) -> str:
    """Return the file that tells Envoy of ``resources``; the same for the same resources."""
    version = version_of(resources)
    return json.dumps({"version_info": version, "resources": resources}, indent=1) + "\n"


def version_of(resources: tuple[JsonObject, ...]) -> str:
    """Return the version of ``resources``: a hash, so equal content is known to be taken.

    It outlives whoever wrote it, so a daemon that comes back need not push again.
    """
    content = json.dumps(resources, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:VERSION_DIGITS]
