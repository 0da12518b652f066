"""The status as a table for people, or as JSON."""

import json
from collections.abc import Callable

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mainstay.control.api.wire import Json
from mainstay.core.clock import pause

WATCH_S = 1.0
"""Between two drawings of a watched status."""

_MIB = 2**20
_COLOURS = {
    "ok": "green",
    "ready": "green",
    "changing": "yellow",
    "starting": "yellow",
    "leaving": "yellow",
    "unhealthy": "red",
    "ejected": "red",
    "crash_loop": "bold red",
}


def print_status(status: Json, *, as_json: bool) -> None:
    """Print the answer of the daemon's ``status``."""
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return
    Console(highlight=False).print(status_view(status))


def watch_status(status: Callable[[], Json]) -> None:
    """Draw the status again and again until Ctrl-C."""
    with Live(status_view(status()), console=Console(highlight=False), screen=False) as live:
        try:
            while True:
                pause(WATCH_S)
                live.update(status_view(status()))
        except KeyboardInterrupt:
            return


def status_view(status: Json) -> Group:
    """Return the tables of a status."""
    parts: list[Table | Text] = [_heading(status), _services(status)]
    parts += [
        Text(f"{service['name']}: {service['last_end']}", style="red")
        for service in status["services"]
        if service["state"] == "crash_loop" and service["last_end"]
    ]
    return Group(*parts)


def _heading(status: Json) -> Text:
    daemon, proxy = status["daemon"], status["proxy"]
    line = Text(status["system"], style="bold")
    line.append(f"   daemon {daemon['pid']}", style="not bold dim")
    if proxy is not None:
        line.append(f"   edge {proxy['pid']}", style="not bold dim")
        if proxy["restarts"]:
            line.append(f" (restarted {proxy['restarts']}×)", style="not bold yellow")
    return line


def _services(status: Json) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("service / replica", "state", "version", "address"):
        table.add_column(name)
    for name in ("memory", "requests", "req/s", "err/s", "p50 ms", "p99 ms", "restarts"):
        table.add_column(name, justify="right")
    for service in status["services"]:
        _service_rows(table, service)
    return table


def _service_rows(table: Table, service: Json) -> None:
    traffic = service["traffic"]
    errors = Text(f"{traffic['errors_per_s']:.1f}")
    if traffic["errors_per_s"] > 0:
        errors.stylize("red")
    table.add_row(
        Text(service["name"], style="bold"),
        _state(service["state"], f"{service['ready']}/{service['wanted']}"),
        service["version"],
        service["url"] or service["internal_url"] or "-",
        "",
        f"{traffic['requests']:,}",
        f"{traffic['per_s']:.1f}",
        errors,
        _ms(traffic["p50_ms"]),
        _ms(traffic["p99_ms"]),
        str(service["restarts"] or ""),
    )
    for replica in service["replicas"]:
        memory = replica["memory_bytes"]
        table.add_row(
            Text(f"  {replica['name']}", style="dim"),
            _state(replica["state"]),
            replica["version"],
            f"pid {replica['pid']}" if replica["pid"] else "-",
            f"{memory / _MIB:.0f} MiB" if memory else "",
            f"{replica['requests']:,}",
        )


def _state(state: str, more: str = "") -> Text:
    return Text(f"{state} {more}".rstrip(), style=_COLOURS.get(state, ""))


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
