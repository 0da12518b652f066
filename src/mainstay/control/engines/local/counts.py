"""How many replicas each service has, in files that the replicas themselves may read.

While the store of a rate limit is away, each replica goes on with its share, and its environment
knows only how many there were when it began.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from mainstay.control.engines.local.records import StateNotSaved, open_private


class ReplicaCounts:
    """Keeps one file for each service, ``SERVICE.replicas``.

    Args:
        folder: What replicas know as ``MAINSTAY_RUN_DIR``; made private if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: dict[str, int] = {}

    def tell(self, counts: Mapping[str, int]) -> None:
        """Write what has changed; whoever reads meanwhile gets the old number or the new one.

        Args:
            counts: Service -> replicas that are wanted.

        Raises:
            StateNotSaved: A full disk, or no right to write there: the old numbers stay.
        """
        for service, count in counts.items():
            if self._told.get(service) != count:
                self._write(self._folder / f"{service}.replicas", count)
                self._told[service] = count

    def _write(self, path: Path, count: int) -> None:
        draft = path.with_name(f"{path.name}.new")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with open_private(draft) as file:
                file.write(str(count).encode())
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            why = error.strerror or str(error)
            raise StateNotSaved(f"{path} cannot be written: {why}") from error
