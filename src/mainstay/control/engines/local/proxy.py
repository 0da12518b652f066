"""The proxy as a process of this engine."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mainstay.control.processes.process import LocalProcess, ShimSpec, SpawnFailed, launch

EDGE_LOG_BYTES_MAX: Final = 64 * 2**20
"""Of one file of the proxy's access log; four are kept."""


class ProxyProcess:
    """A process of the local engine, as the edge wants it."""

    def __init__(self, process: LocalProcess) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        """The proxy itself, not its shim."""
        return self.process.pid

    async def wait(self) -> None:
        """Return when the process is gone."""
        await self.process.exited()

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self.process.signal(number)


class ProxyLauncher:
    """Starts the proxy as a process of the local engine, and remembers which it is.

    Args:
        state: ``.mainstay/``.
        changed: Called when there is a new process to record.
    """

    def __init__(self, state: Path, changed: Callable[[], None]) -> None:
        self._state = state
        self._changed = changed
        self.present: LocalProcess | None = None
        self.launches = 0

    async def launch(self, name: str, argv: Sequence[str]) -> ProxyProcess:
        """Start ``argv``; raises OSError if that fails."""
        try:
            self.present = await launch(
                ShimSpec(
                    name=name,
                    argv=tuple(argv),
                    cwd=str(self._state),
                    # Nothing of the daemon's environment: secrets in it are not the proxy's.
                    env=(("PATH", os.defpath),),
                    log_path=str(self._state / "logs" / f"{name}.log"),
                    end_path=str(self._state / "ends" / f"{name}.json"),
                    log_bytes_max=EDGE_LOG_BYTES_MAX,
                )
            )
        except SpawnFailed as error:
            raise OSError(str(error)) from error
        self.launches += 1
        self._changed()
        return ProxyProcess(self.present)
