"""How many replicas each service has, in files that the replicas themselves may read.

While the store of a rate limit is away, each replica goes on with its share, and its environment
knows only how many there were when it began.
"""

from collections.abc import Mapping
from pathlib import Path

from mainstay.control.engines.local.records import replace_file


class ReplicaCounts:
    """Keeps one file for each service, ``SERVICE.replicas``.

    Args:
        folder: Private, and there: what replicas know as ``MAINSTAY_RUN_DIR``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told: dict[str, int] = {}

    def tell(self, counts: Mapping[str, int]) -> None:
        """Write what has changed; whoever reads meanwhile gets the old number or the new one.

        Args:
            counts: Service -> replicas that are wanted.

        Raises:
            StateNotSaved: A full disk, or no right to write there: the old number stays.
        """
        for service, count in counts.items():
            if self._told.get(service) != count:
                replace_file(self._folder / f"{service}.replicas", str(count).encode())
                self._told[service] = count
