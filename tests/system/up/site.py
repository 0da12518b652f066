"""A system on this machine, driven as a user drives it: the command line, requests, kill."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time  # noqa: TID251  Tests of real processes take real time.
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil
from tests.ports import free_port

WRAPPED = """
import asyncio, os
from mainstay import Service

service = Service.load()


async def answer(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/slow":
        await asyncio.sleep(1.0)
    body = f"{os.environ['MAINSTAY_REPLICA']} {os.getpid()}".encode()
    status = 500 if os.path.exists("fail-" + os.environ["MAINSTAY_REPLICA"]) else 200
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = service.asgi(answer)
"""

PLAIN = """
import os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

_INTERRUPTIBLE = (
    "import os, signal, sys;"
    # As at a terminal, also where the tests themselves run in the background of a script: there
    # SIGINT is ignored, and whoever is started inherits that.
    "signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)

Status = dict[str, Any]  # Any: the values of JSON.


def eventually(check: Callable[[], Any], *, within_s: float = 30.0, what: str = "") -> Any:
    """Return what ``check`` returns once it is true; Any: whatever that is."""
    give_up_s = time.monotonic() + within_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < give_up_s, f"not within {within_s} s: {what or check}"
        time.sleep(0.02)


class Site:
    """One system in a folder of its own."""

    command = (sys.executable, "-m", "mainstay")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._started: list[subprocess.Popen[str]] = []
        (folder / "wrapped.py").write_text(WRAPPED)
        (folder / "plain.py").write_text(PLAIN)

    def declare(self, text: str) -> None:
        (self.folder / "mainstay.yaml").write_text(text.replace("@PORT@", str(self.port)))

    def run(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, *words: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTIBLE, *self.command[1:], *words],
            cwd=self.folder,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(started)
        return started

    def end(self) -> None:
        """End the system, and whatever a failed test has left of it."""
        self.run("down")
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for started in self._started:
            # Its pipes are closed, and it is waited for: else it would be complained of later, in
            # another test.
            with started:
                started.kill()

    def up(self) -> Status:
        done = self.run("up", "-d", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        answer: Status = json.loads(done.stdout)
        return answer

    def status(self) -> Status:
        answer: Status = json.loads(self.run("status", "--json").stdout)
        return answer

    def service(self) -> Status:
        answer: Status = self.status()["services"][0]
        return answer

    def pids(self) -> dict[str, int]:
        return {one["name"]: one["pid"] for one in self.service()["replicas"]}

    def get(self, path: str = "/", *, timeout_s: float = 10.0) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get()[0] == 200
        return False

    def processes(self) -> list[psutil.Process]:
        """Return every living process that belongs to this folder, whoever started it."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = str(self.folder) in " ".join(process.cmdline()) or process.cwd().startswith(
                    str(self.folder)
                )
                if ours and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                    found.append(process)
        return found

    def sockets(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_socket()]

    def assert_nothing_left(self) -> None:
        eventually(lambda: not self.processes(), within_s=10, what="processes are left")
        assert not self.sockets()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0
