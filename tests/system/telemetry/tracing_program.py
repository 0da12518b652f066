"""A program whose requests and jobs are traced, with processes that fork off.

Usage: tracing_program.py WAY ENDPOINT DSN. It asks its own app, without a server.
"""

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask
from opentelemetry import trace
from tests.telemetry.joined import LONG_S, Joined

CHILDREN, THREADS, REQUESTS = 4, 4, 25
FAILING = 5
"""One of so many requests fails."""

# Before anything is joined, as libraries do at their import.
tracer = trace.get_tracer("shop", "1.0")
app = Flask("tracing_program")
app.logger.disabled = True


@app.get("/items/<int:number>")
def item(number: int) -> str:
    """Answer with the ids that the handler sees."""
    with tracer.start_as_current_span("look up"):
        if number % FAILING == 0:
            raise LookupError(str(os.getpid()))
        who = trace.get_current_span().get_span_context()
        return f"{who.trace_id:032x} {who.span_id:016x}"


def ask(shell: Any, number: int) -> None:
    """Make one request. Any: a WSGI app."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/items/{number}",
        "SERVER_NAME": "shop",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
    for _ in shell(environ, lambda *_: None):
        pass


def work(shell: Any) -> None:
    """Ask from several threads at once."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda number: ask(shell, number), range(1, REQUESTS + 1)))


def forked(world: Joined) -> None:
    """Ask in this process and in others, which fork off in the middle."""
    shell = world.wsgi(app)
    ask(shell, 1)
    children = []
    for _ in range(CHILDREN):
        child = os.fork()
        if child == 0:
            work(shell)
            world.service._inbound.drain.closers.run(LONG_S)
            os._exit(0)
        children.append(child)
    work(shell)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    world.flush()


def job(_world: Joined) -> None:
    """Do a job without any request, and end without a word."""
    assert type(trace.get_tracer_provider()).__module__.startswith("mainstay.")
    with tracer.start_as_current_span("job"), tracer.start_as_current_span("part"):
        pass


if __name__ == "__main__":
    way, endpoint, dsn = sys.argv[1:]
    {"forked": forked, "job": job}[way](
        Joined(endpoint=endpoint, dsn=dsn if way == "forked" else None, sample=1.0)
    )
