"""What the wrapper costs a real server: ``make bench-stack``, or ``python bench/stack.py``.

Each app runs bare, wrapped, and under the whole stack: the wrapper, an access line to a pipe that
is read, metrics, and traces at 10 % over OTLP to a receiver (and, where they are installed, under
what others use for all of that), in a server of its own with one worker. The pipe is read by what
reads it under ``mainstay up``; with ``--lines cat`` by a program that takes each line when it
comes, as other supervisors do. All servers stand by, and rounds alternate between them, so that
what the machine does beside hurts all alike. Of ten requests, the caller of one has decided that
its trace is sampled, and of the others that it isn't. Load comes from this process over 32
connections, each with one request at a time. The CPU of a request is what the server's process used
in a round, by the kernel's count, through the requests that it answered.
"""

import argparse
import asyncio
import contextlib
import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mainstay.control.processes.process import ShimSpec, launch
from mainstay.core.clock import SystemClock, pause

CLOCK = SystemClock()
HERE = Path(__file__).parent
CONNECTIONS = 32
_REQUEST = (
    b"GET /items/17?q=a HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n"
    b"accept-encoding: gzip, deflate\r\nx-forwarded-for: 192.0.2.1\r\n"
    b"x-request-id: 5f3f6f3e-0d8c-4c1e-8a34-1f1c1b1a1918\r\n"
    b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-%b\r\n\r\n"
)
REQUESTS = (_REQUEST % b"01", *[_REQUEST % b"00"] * 9)
RECEIVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
status, wait_s = int(sys.argv[1]), float(sys.argv[2])
class Takes(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        time.sleep(wait_s)
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *said):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
print(server.server_port, flush=True)
server.serve_forever()
"""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Served:
    """A server with one of the apps, and what was measured of it."""

    name: str
    pid: int
    port: int
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)

    def cpu_s(self) -> float:
        """Return the CPU that its process has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def round(self, seconds: float) -> None:
        """Measure for so many seconds."""
        before_s = self.cpu_s()
        answered, took_s = drive(self.port, seconds)
        self.rates.append(answered / took_s)
        self.cpu_us.append((self.cpu_s() - before_s) / answered * 1e6)


def drive(port: int, seconds: float) -> tuple[int, float]:
    """Ask over all connections, one request at a time on each; return answers and time."""
    selector = selectors.DefaultSelector()
    sockets = []
    for _ in range(CONNECTIONS):
        one = socket.create_connection(("127.0.0.1", port))
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.sendall(REQUESTS[0])
        selector.register(one, selectors.EVENT_READ)
        sockets.append(one)
    answered = 0
    began_s = CLOCK.monotonic_s()
    end_s = began_s + seconds
    while CLOCK.monotonic_s() < end_s:
        for key, _ in selector.select(1.0):
            answer = key.fileobj.recv(65536)  # type: ignore[union-attr]  # They are sockets.
            if not answer:
                raise SystemExit("the server closed a connection")
            if not answer.rstrip().endswith(b"}"):
                # Head and body may come apart.
                continue
            if b"kettle" not in answer:
                raise SystemExit(f"not the answer: {answer[:300]!r}")
            answered += 1
            key.fileobj.send(REQUESTS[answered % 10])  # type: ignore[union-attr]  # As above.
    took_s = CLOCK.monotonic_s() - began_s
    for one in sockets:
        one.close()
    return answered, took_s


@contextlib.contextmanager
def served(name: str, server: str, receiver: int, lines: str = "mainstay") -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Mainstay's server wraps nothing by itself, and is Granian with one worker.
    words = {
        "uvicorn": ["-m", "uvicorn", "stack_apps:app", "--port", str(port), "--http", "httptools",
                    "--loop", "uvloop", "--no-access-log", "--log-level", "warning"],
        "granian": ["-m", "mainstay.service.inbound.serve", "--app", "stack_apps:app",
                    "--port", str(port)],
    }[server]  # fmt: skip
    otlp = f"http://127.0.0.1:{receiver}"
    environ = {**os.environ, "BENCH_APP": name, "OTEL_EXPORTER_OTLP_ENDPOINT": otlp}
    with {"mainstay": kept, "cat": thrown_away}[lines]([sys.executable, *words], environ) as pid:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            if not Path(f"/proc/{pid}/stat").exists():
                raise SystemExit(f"{name} did not start")
            pause(0.05)
        yield Served(name, pid, port)


@contextlib.contextmanager
def kept(command: list[str], environ: dict[str, str]) -> Iterator[int]:
    """Run a command as ``mainstay up`` runs a replica; yield its pid."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        order = ShimSpec(
            name="stack",
            argv=tuple(command),
            cwd=str(HERE),
            env=tuple(environ.items()),
            log_path=f"{folder}/log",
            end_path=f"{folder}/end.json",
        )
        process = runner.run(launch(order))
        try:
            yield process.pid
        finally:
            runner.run(process.stop(30))


@contextlib.contextmanager
def thrown_away(command: list[str], environ: dict[str, str]) -> Iterator[int]:
    """Run a command whose lines another process takes one by one; yield its pid."""
    reader = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(command, cwd=HERE, env=environ, stdout=reader.stdin)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
        assert reader.stdin is not None, "it is a pipe"
        reader.stdin.close()
        reader.wait(30)


@contextlib.contextmanager
def receiving(status: int = 200, wait_s: float = 0.0) -> Iterator[int]:
    """Take whatever is sent over OTLP, in a process of its own; yield its port.

    Args:
        status: What it answers.
        wait_s: How long it takes.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", RECEIVER, str(status), str(wait_s)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None, "it is a pipe"
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frameworks", default="fastapi,starlette,flask")
    parser.add_argument("--server", default="granian", help="of ASGI apps; or uvicorn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--peers", action="store_true", help="also under what others use")
    parser.add_argument("--lines", choices=("mainstay", "cat"), default="mainstay")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = {}
    for framework in options.frameworks.split(","):
        hows = ["bare", "wrapped", "whole"]
        if options.peers and framework != "flask":
            hows.append("peers")
        server = "granian" if framework == "flask" else options.server
        with contextlib.ExitStack() as stack:
            receiver = stack.enter_context(receiving())
            all_ = [
                stack.enter_context(served(f"{framework}-{how}", server, receiver, options.lines))
                for how in hows
            ]
            for one in all_:
                drive(one.port, 1.0)
            for _ in range(options.rounds):
                for one in all_:
                    one.round(options.seconds)
        bare = all_[0]
        for one in all_:
            # The median of the ratios of neighbours, which the machine hurts alike.
            share = statistics.median(a / b for a, b in zip(one.rates, bare.rates, strict=True))
            added = statistics.median(a - b for a, b in zip(one.cpu_us, bare.cpu_us, strict=True))
            row = {
                "requests_per_s": round(statistics.median(one.rates)),
                "of_bare": round(share, 3),
                "cpu_us": round(statistics.median(one.cpu_us), 1),
                "cpu_us_added": round(added, 1),
            }
            result[f"{one.name}-{server}"] = row
            if not options.json:
                print(
                    f"{one.name:18} {server:8}",
                    *(f"{key} {value:>9}" for key, value in row.items()),
                )
    if options.json:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
