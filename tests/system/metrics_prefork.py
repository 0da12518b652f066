"""A server that forks its workers after everything was made, as gunicorn does with --preload.

Usage: metrics_prefork.py PORT WORKERS. One that ends is replaced. Ends with SIGTERM.
"""

import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics

metrics = ServiceMetrics(
    Declaration(service="web", app="metrics_prefork:app"), Metrics(), environ=os.environ
)
orders = metrics.registry.counter("orders", "Orders placed.")
sizes = metrics.registry.histogram("size", "Of orders.", unit="", bounds=(1, 10))
workers = metrics.registry.gauge("workers", "That live.", read=lambda: 1.0)
# Counted by who serves nothing, before there is any worker.
orders.inc(0)


class Handler(BaseHTTPRequestHandler):
    """Answers /metrics, and counts everything else."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path == metrics.path:
            status, _, body = metrics.endpoint.answer()
        else:
            orders.inc()
            sizes.observe(5)
            status, body = 200, str(os.getpid()).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Say nothing."""


def work(listener: socket.socket) -> None:
    """Serve, in a worker, until SIGTERM."""
    server = HTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    sys.exit(0)


def main() -> None:
    """Keep so many workers."""
    port, count = map(int, sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", port))
    # Of several that wake up for a connection, one gets it.
    listener.settimeout(1.0)
    children: set[int] = set()

    def stop(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        while len(children) < count:
            child = os.fork()
            if not child:
                work(listener)
            children.add(child)
        children.discard(os.wait()[0])


if __name__ == "__main__":
    main()
