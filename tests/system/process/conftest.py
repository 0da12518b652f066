import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mainstay.control.processes.ends import running
from mainstay.control.processes.environment import child_environment
from mainstay.control.processes.identity import remains, started_s
from mainstay.control.processes.process import ShimSpec

BOUND_S = 30.0


def gone(pid: int) -> bool:
    return started_s(pid) is None


class Place:
    """A folder with ``logs`` and ``ends`` in which the processes of one test leave their traces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.ends = folder / "ends"
        self.logs.mkdir()
        self.ends.mkdir()

    def log(self, name: str = "app-1") -> Path:
        return self.logs / f"{name}.log"

    def text(self, name: str = "app-1") -> str:
        return self.log(name).read_text() if self.log(name).exists() else ""

    def spec(
        self,
        *argv: str,
        name: str = "app-1",
        env: dict[str, str] | None = None,
        log_bytes_max: int = 2**20,
        memory_max_bytes: int | None = None,
        cwd: Path | None = None,
    ) -> ShimSpec:
        return ShimSpec(
            name=name,
            argv=argv,
            cwd=str(cwd or self.folder),
            env=tuple(child_environment(os.environ, env or {}).items()),
            log_path=str(self.log(name)),
            end_path=str(self.ends / f"{name}.json"),
            log_bytes_max=log_bytes_max,
            memory_max_bytes=memory_max_bytes,
        )

    def python(self, code: str, **more: object) -> ShimSpec:
        return self.spec(sys.executable, "-I", "-S", "-c", code, **more)  # type: ignore[arg-type]  # As spec.

    def shell(self, code: str, **more: object) -> ShimSpec:
        return self.spec("/bin/sh", "-c", code, **more)  # type: ignore[arg-type]  # As spec.


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    one = Place(tmp_path)
    yield one
    for identity in running(one.ends, logs=one.logs):
        for pid in reversed(remains(identity)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Look again and again until something is so; fail after a generous bound."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND_S):
            while not condition():  # noqa: ASYNC110  Processes tell nobody when they are ready.
                await asyncio.sleep(0.01)

    return wait
