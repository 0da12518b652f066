"""How the edge starts its proxy: by whoever runs processes here, which the edge does not know."""

from collections.abc import Sequence
from typing import Protocol


class Process(Protocol):
    """A process that was started, or found again."""

    @property
    def pid(self) -> int:
        """The process's id."""
        ...

    async def wait(self) -> None:
        """Return when the process is gone; at once if it is."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal; a process that is gone is not an error."""
        ...


class Launcher(Protocol):
    """Starts processes that outlive the one who asks."""

    async def launch(self, name: str, argv: Sequence[str]) -> Process:
        """Start ``argv`` and return it; ``name`` is that of its log.

        Raises:
            OSError: The process could not be started.
        """
        ...
