"""Where a system lives: from what the user typed to its folder and its control socket."""

from pathlib import Path

import click

from mainstay.core.errors import NotRunning
from mainstay.core.sockets import short_socket_path

STATE = ".mainstay"

path_argument = click.argument(
    "path", type=click.Path(path_type=Path, exists=True), default=Path(), required=False
)
path_option = click.option(
    "--path",
    "-C",
    type=click.Path(path_type=Path, exists=True),
    default=Path(),
    help="Folder of the system; without it, this folder or the nearest one above that runs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON only.")


def state_of(root: Path) -> Path:
    """Return the state folder of the system whose declaration is in ``root``."""
    return root / STATE


def running_state(path: Path) -> Path:
    """Return the state folder that ``path`` means, looking upward as git does.

    Raises:
        NotRunning: There is none: nothing was ever started here.
    """
    start = path.resolve()
    if start.is_file():
        start = start.parent
    for folder in (start, *start.parents):
        if (folder / STATE).is_dir():
            return folder / STATE
    raise NotRunning(f"nothing was started in {start}: start it with `mainstay up -d`")


def control_socket(state: Path) -> Path:
    """Return the control socket of a state folder."""
    return short_socket_path(state, "control.sock")
