"""Removes the folders of replicas that are gone."""

import re
from contextlib import suppress
from pathlib import Path

from mainstay.telemetry.metrics.sharing.folder import is_deserted, make_private
from mainstay.telemetry.metrics.sharing.kin import is_running

LOOKED_AT_MAX = 256
"""Folders looked at in one sweep."""

_FOLDER = re.compile(r".+-([0-9]+)-([0-9]+)")


def sweep(root: Path) -> None:
    """Remove folders below ``root`` whose head has ended and where nobody tells anything any more.

    What can't be looked at or removed stays. Folders that aren't named as ours are left alone.
    """
    with suppress(OSError):
        make_private(root)
        for folder in sorted(root.iterdir())[:LOOKED_AT_MAX]:
            named = _FOLDER.fullmatch(folder.name)
            if named is not None and not is_running(int(named[1]), named[2]):
                with suppress(OSError):
                    _remove(folder)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or not is_deserted(folder):
        return
    for one in list(folder.iterdir()):
        one.unlink()
    folder.rmdir()
