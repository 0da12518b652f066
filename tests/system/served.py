"""One served process, asked and stopped as a user would: what the tests of serving share."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.ports import free_port

from mainstay.core.clock import SystemClock

HERE = Path(__file__).parent
GENEROUS_S = 60
OURS = "mainstay.service.inbound.serve"


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll for a condition; fail after a bound that only a broken test reaches."""
    clock = SystemClock()
    last_s = clock.monotonic_s() + GENEROUS_S
    pause = threading.Event()
    while not condition():
        assert clock.monotonic_s() < last_s, f"never: {what}"
        pause.wait(0.02)


class Client:
    """Asks one port of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GENEROUS_S)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            head = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, head, answer.read()
        finally:
            connection.close()

    def answers(self, path: str, status: int) -> bool:
        try:
            return self.ask(path)[0] == status
        except (OSError, http.client.HTTPException):
            return False


class Served(Client):
    """One served process, which ends with its ``with``."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        super().__init__(free_port())
        self.out, self.err = folder / "out", folder / "err"
        argv = [sys.executable, "-m", *arguments]
        # The last --port counts, for a test that wants another one.
        argv[3:3] = ["--port", str(self.port)]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                argv, cwd=HERE, stdout=out, stderr=err, env={**os.environ, **environ}
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Waited for as well: a process that a failed test leaves behind is complained of when it
        # is collected, in whichever test that happens.
        self.process.kill()
        self.process.wait(GENEROUS_S)

    def is_blocked(self) -> bool:
        """Whether nobody answers within a moment, although the process lives."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=0.5)
        try:
            connection.request("GET", "/health/live")
            connection.getresponse().read()
        except TimeoutError:
            return True
        finally:
            connection.close()
        return False

    def ready(self, path: str = "/health/ready") -> Self:
        until(lambda: self.process.poll() is not None or self.answers(path, 200), "ready")
        assert self.process.poll() is None, self.err.read_text()
        return self

    def stop(self, signum: int = signal.SIGTERM) -> None:
        self.process.send_signal(signum)

    def ended(self) -> int:
        return self.process.wait(GENEROUS_S)

    def lines(self, path: str) -> list[dict[str, Any]]:
        """Return the access lines of a path. Any: the values of JSON."""
        said = [json.loads(line) for line in self.out.read_text().splitlines()]
        return [line for line in said if (line.get("event"), line.get("path")) == ("request", path)]


Serve = Callable[..., Served]


def in_background(act: Callable[[], object], count: int) -> tuple[list[object], Callable[[], None]]:
    """Start ``count`` threads that act; return their results and what waits for all."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(act())
        except (OSError, http.client.HTTPException) as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()

    def join() -> None:
        for thread in threads:
            thread.join(GENEROUS_S)

    return results, join
