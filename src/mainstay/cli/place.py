"""Where a system lives: from what the user typed to its folder and its control socket."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from mainstay.control.engines.local.folder import NAME, lock_holder
from mainstay.core.errors import ConfigInvalid, NotRunning
from mainstay.core.sockets import find_socket
from mainstay.spec.reading.folders import FILE_NAME

SOCKET: Final = "control.sock"

path_argument = click.argument(
    "path", type=click.Path(path_type=Path, exists=True), default=None, required=False
)
path_option = click.option(
    "--path",
    "-C",
    type=click.Path(path_type=Path, exists=True),
    default=None,
    help="Folder of the system; without it, this folder or the nearest one above that runs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON only.")


def state_of(root: Path) -> Path:
    """Return the state folder of the system whose declaration is in ``root``."""
    return root / NAME


def control_socket(state: Path) -> Path:
    """Return the control socket of a state folder; nothing is made for it."""
    return find_socket(state, SOCKET)


def running_state(path: Path | None) -> Path:
    """Return the state folder that is meant.

    With a path, it is that of this very folder. Without one it is looked for upward from the
    working folder, as git does, but never past the folder of another declaration: what lives
    there comes before what ended there.

    Raises:
        NotRunning: There is none: nothing was ever started there.
    """
    start = _start(path)
    folders = _of_one_system(start) if path is None else (start,)
    states = [state for folder in folders if _visible((state := state_of(folder)).is_dir)]
    for state in states:
        if _lives(state):
            return state
    if states:
        return states[0]
    above = system_above(path)
    hint = (
        "start it with `mainstay up -d`"
        if above is None
        else f"what runs in {above} is another system"
    )
    raise NotRunning(f"nothing was started in {start}: {hint}")


def known_services(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Return the services whose names begin like this. For completion, which has no errors."""
    # Only here: YAML takes its time.
    from mainstay.spec.load import load_system

    try:
        root = running_state(context.params.get("path")).parent
        members = load_system(root, env=None, environ=os.environ).system.members
    except (ConfigInvalid, NotRunning):
        return []
    return [member.name for member in members if member.name.startswith(begun)]


def system_above(path: Path | None) -> Path | None:
    """Return the nearest folder above the one that is meant whose system lives, or None."""
    return next((folder for folder in _start(path).parents if _lives(state_of(folder))), None)


def _start(path: Path | None) -> Path:
    start = Path.cwd() if path is None else path.resolve()
    return start.parent if start.is_file() else start


def _lives(state: Path) -> bool:
    """Return whether a daemon runs, or one was killed and left its record."""
    return lock_holder(state / "lock") is not None or _visible((state / "state.json").is_file)


def _visible(look: Callable[[], bool]) -> bool:
    # On the way upward there may be what is another user's; it is not what is meant.
    try:
        return look()
    except PermissionError:
        return False


def _of_one_system(start: Path) -> Iterator[Path]:
    """Yield a folder and those above it that hold the same system."""
    own: Path | None = None
    for folder in (start, *start.parents):
        if own is None or _names(folder, own):
            yield folder
        if own is None and _visible((folder / FILE_NAME).exists):
            own = folder


def _names(root: Path, service: Path) -> bool:
    """Return whether the system that was started in ``root`` names the folder of a service."""
    if not (_visible(state_of(root).is_dir) and _visible((root / FILE_NAME).exists)):
        return False
    # Only here: few are asked from within a service's own folder, and YAML takes its time.
    from mainstay.spec.load import load_system

    try:
        members = load_system(root, env=None, environ=os.environ).system.members
    except ConfigInvalid:
        return False
    return any(member.folder.resolve() == service for member in members)
