"""The files that Envoy reads: private, and never seen half written. Lasting ones: ``room.py``."""

import contextlib
import json
import os
from pathlib import Path

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.envoy.protojson import JsonObject

PRIVATE_MODE = 0o600
READ_BYTES_MAX = 64 * 2**20
"""A file of ours that is longer is not ours: 120 services make 1 MB."""


def write_private(path: Path, text: str) -> None:
    """Write ``text`` to ``path``, a file for the moment, by an atomic rename.

    Raises:
        EdgeUnavailable: The file could not be written; what was there is as it was.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise EdgeUnavailable(f"cannot write {path}: {error.strerror}") from error


def read_text(path: Path) -> str | None:
    """Return the content of a file of ours, less the spaces at its end that keep its room.

    None where there is no file that can be read.
    """
    try:
        if path.stat().st_size > READ_BYTES_MAX:
            return None
        return path.read_text(encoding="utf-8").rstrip(" ")
    except (OSError, ValueError):
        return None


def read_discovery(path: Path) -> tuple[JsonObject, ...]:
    """Return the resources in a file of ours; none where it is not one."""
    try:
        found = json.loads(read_text(path) or "")
    except (ValueError, RecursionError):
        return ()
    resources = found.get("resources") if isinstance(found, dict) else None
    if not isinstance(resources, list):
        return ()
    return tuple(
        one for one in resources if isinstance(one, dict) and isinstance(one.get("name"), str)
    )
