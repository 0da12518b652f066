"""The status as tables for people."""

from collections.abc import Callable
from typing import NoReturn

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mainstay.control.api.wire import Json

PIPE_COLUMNS = 160
"""Width of a table that no terminal shows."""

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


def status_text(status: Json) -> str:
    """Return the tables of a status as a text, as wide and coloured as stdout takes it."""
    return table_text(status_view(status))


def table_text(view: RenderableType) -> str:
    """Return what is drawn as a text, as wide and coloured as stdout takes it."""
    console = _console()
    # Captured, not printed: rich would end the process itself where a reader went away.
    with console.capture() as captured:
        console.print(view)
    return captured.get()


def draw_over(status: Callable[[], Json], wait: Callable[[], None]) -> NoReturn:
    """Draw the status over itself on a terminal, until an error or Ctrl-C."""
    with Live(status_view(status()), console=_console(), screen=False) as live:
        while True:
            wait()
            live.update(status_view(status()))


def _console() -> Console:
    console = Console(highlight=False)
    # Into a pipe or a file nothing is folded.
    return console if console.is_terminal else Console(highlight=False, width=PIPE_COLUMNS)


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
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("service", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("pid", "memory", "req/s", "err/s", "p50 ms", "p99 ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("address", no_wrap=True)
    for service in status["services"]:
        _service_rows(table, service)
    return table


def _service_rows(table: Table, service: Json) -> None:
    traffic = service["traffic"]
    state = _state(service["state"], f"{service['ready']}/{service['wanted']}")
    if service["restarts"]:
        state.append(f" {service['restarts']} died", style="yellow")
    name = Text(service["name"], style="bold")
    name.append(f" {service['version']}", style="not bold dim")
    table.add_row(
        name,
        state,
        "",
        "",
        f"{traffic['per_s']:.1f}",
        Text(f"{traffic['errors_per_s']:.1f}", style="red" if traffic["errors_per_s"] else ""),
        _ms(traffic["p50_ms"]),
        _ms(traffic["p99_ms"]),
        _address(service),
    )
    for replica in service["replicas"]:
        memory = replica["memory_bytes"]
        table.add_row(
            Text(f"  {replica['name']}", style="dim"),
            _state(replica["state"]),
            str(replica["pid"] or ""),
            f"{memory / _MIB:.0f} MiB" if memory else "",
        )


def _address(service: Json) -> Text:
    """Return where clients reach the service; dim where only other services do."""
    if service["url"]:
        return Text(service["url"])
    return Text(service["internal_url"] or "", style="dim")


def _state(state: str, more: str = "") -> Text:
    return Text(f"{state} {more}".rstrip(), style=_COLOURS.get(state, ""))


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
