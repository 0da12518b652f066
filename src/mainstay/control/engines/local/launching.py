"""From a declaration to what a replica is started with: words, environment, revision. Pure."""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mainstay.control.processes.environment import child_environment
from mainstay.control.processes.process import ShimSpec
from mainstay.control.traces.door import Door
from mainstay.spec.address import url_variable
from mainstay.spec.declaration import Declaration, Member
from mainstay.spec.edge import Edge
from mainstay.spec.kinds.secret import reveal
from mainstay.spec.kinds.units import duration_text
from mainstay.spec.run import Run

HOST = "127.0.0.1"
"""Replicas listen on loopback only; the edge is what others reach."""

_PORT = re.compile(r"\$PORT\b|\$\{PORT\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launchpad:
    """What every launch of a system's replicas needs to know.

    Attributes:
        state: ``.mainstay/``; its ``logs`` and ``ends`` exist.
        environ: The environment that the daemon was started with.
        env_name: Name of the overlay in force (``MAINSTAY_ENV``), or None.
        urls: Service name -> base URL of its internal listener at the edge.
        door: Where spans are received; None: nowhere.
    """

    state: Path
    environ: Mapping[str, str]
    env_name: str | None
    urls: Mapping[str, str]
    door: Door | None = None


def replica_argv(declaration: Declaration, port: int, probe_port: int | None) -> tuple[str, ...]:
    """Return the words that start a replica on ``port``.

    In ``command``, ``$PORT`` (or ``${PORT}``) within a word is replaced: no shell runs. It answers
    no probes of ours, and has no port for them.
    """
    if declaration.command is not None:
        return tuple(_PORT.sub(str(port), word) for word in declaration.command)
    assert declaration.app is not None, "the door admits an app or a command"
    return (
        sys.executable,
        *("-m", "mainstay.service.inbound.serve"),
        *("--app", declaration.app),
        *("--host", HOST),
        *("--port", str(port)),
        *(() if probe_port is None else ("--probe-port", str(probe_port))),
        *("--server", declaration.run.server),
        *("--interface", declaration.run.interface),
        *("--threads", str(declaration.run.threads)),
        *("--drain", duration_text(declaration.inbound.drain_s)),
        *("--drain-delay", duration_text(declaration.inbound.drain_delay_s)),
    )


def replica_spec(
    member: Member,
    name: str,
    port: int,
    launchpad: Launchpad,
    *,
    probe_port: int | None,
    replicas: int,
) -> ShimSpec:
    """Return what the shim of a replica gets; declared secrets are revealed in its environment.

    Args:
        member: Its service.
        name: Its own.
        port: What it is to listen on.
        launchpad: What all replicas have in common.
        probe_port: Where it is to answer probes beside its work, if it can; None: nowhere.
        replicas: How many of its service are wanted as it begins.
    """
    run = member.declaration.run
    variables = {
        "MAINSTAY_REPLICAS": str(replicas),
        **_variables(member, name, port, launchpad),
    }
    environment = child_environment(launchpad.environ, variables)
    return ShimSpec(
        name=name,
        argv=replica_argv(member.declaration, port, probe_port),
        cwd=str(working_folder(member)),
        env=tuple(environment.items()),
        log_path=str(launchpad.state / "logs" / f"{name}.log"),
        end_path=str(launchpad.state / "ends" / f"{name}.json"),
        log_bytes_max=run.log_bytes_max,
        memory_max_bytes=run.memory_max_bytes,
    )


def _variables(member: Member, name: str, port: int, launchpad: Launchpad) -> dict[str, str]:
    """Return what a replica is told; what the declaration says has the last word."""
    declaration = member.declaration
    variables = {
        "HOST": HOST,
        "PORT": str(port),
        # `python` in a command is the one that runs Mainstay, activated or not.
        "PATH": os.pathsep.join(
            (str(Path(sys.executable).parent), launchpad.environ.get("PATH", os.defpath))
        ),
        "MAINSTAY_DECLARATION": str(member.folder / "mainstay.yaml"),
        "MAINSTAY_SERVICE": declaration.service,
        "MAINSTAY_REPLICA": name,
        # Where the replicas of this host tell each other things; each of them makes it private.
        "MAINSTAY_RUN_DIR": str(launchpad.state / "run"),
    }
    if launchpad.env_name is not None:
        variables["MAINSTAY_ENV"] = launchpad.env_name
    variables.update(_urls(declaration, launchpad.urls))
    if launchpad.door is not None:
        # No part of the revision: a system is not restarted so that it may be watched.
        variables.update(launchpad.door.variables(declaration, launchpad.environ))
    variables.update({key: reveal(value) for key, value in declaration.run.env})
    return variables


def working_folder(member: Member) -> Path:
    """Return where a replica's process starts."""
    return (member.folder / member.declaration.run.cwd).resolve()


def revision_of(member: Member, launchpad: Launchpad, generation: int) -> str:
    """Return what a replica was started from, as a short text: equal means interchangeable.

    The edge, the scale and what only the daemon reads are left out: changing them restarts
    nothing. A secret counts by its reference, so that its value leaves no trace.
    """
    declaration = member.declaration
    kept = replace(
        declaration,
        edge=Edge(),
        objectives=(),
        rollout=None,
        run=replace(
            declaration.run,
            replicas=Run().replicas,
            restart=Run().restart,
            start_timeout_s=Run().start_timeout_s,
            hang_timeout_s=Run().hang_timeout_s,
        ),
    )
    parts = (kept, member.folder, launchpad.env_name, *_urls(declaration, launchpad.urls))
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
    return f"{digest}-{generation}"


def _urls(declaration: Declaration, urls: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (variable, URL) for each dependency that is a service, by both of its names."""
    found: dict[str, str] = {}
    for name, dependency in declaration.dependencies:
        if dependency.service is not None and dependency.service in urls:
            for known_as in (name, dependency.service):
                found[url_variable(known_as)] = urls[dependency.service]
    return sorted(found.items())
