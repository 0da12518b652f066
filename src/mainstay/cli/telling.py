"""Events of the daemon as lines, for people or for programs."""

import contextlib
import json

import click

from mainstay.control.api.wire import Json

_LINES = {
    "ReplicaStarted": "{replica} starting (pid {pid}, port {port})",
    "ReplicaAdopted": "{replica} adopted (pid {pid})",
    "ReplicaReady": "{replica} ready after {after_s:.2f} s",
    "ReplicaStopping": "{replica} leaving: {reason}",
    "ReplicaEnded": "{replica} ended: {reason}",
    "CrashLooping": "{reason}",
    "RoutingTrouble": "the edge did not take a change: {reason}",
    "SpansTrouble": "{reason}",
    "EdgeStarted": "edge started (pid {pid})",
    "EdgeHung": "edge hung (pid {pid}); ending it",
    "EdgeDied": "edge died; starting it again",
}


def line_of(event: Json) -> str | None:
    """Return the line for an event, or None for one that people need not see."""
    if event.get("event") == "SystemReady":
        places = "".join(f"\n    {service}  {url}" for service, url in event["addresses"])
        return f"everything is ready after {event['after_s']:.2f} s{places}"
    form = _LINES.get(str(event.get("event")))
    if form is None:
        return None
    try:
        return form.format_map(event)
    except (KeyError, ValueError, TypeError):
        # A daemon of another version may leave a field out; the rest is still worth a line.
        return json.dumps(event)


def tell(event: Json) -> None:
    """Print an event to stderr, where progress belongs."""
    line = line_of(event)
    if line is not None:
        _print(f"  {line}", err=True)


def print_line(event: Json) -> None:
    """Print an event to stdout as one object, for programs."""
    _print(json.dumps(event), err=False)


def _print(line: str, *, err: bool) -> None:
    # A reader that went away, or a full disk, is no reason to leave what was begun.
    with contextlib.suppress(OSError):
        click.echo(line, err=err)


def quiet(event: Json) -> None:
    """Hear an event and say nothing: with ``--json`` or in a pipe of another program."""
    del event
