"""What a command needs beyond the package itself, asked for before it does anything."""

import importlib.util

from mainstay.core.errors import PartMissing


def need(command: str, *modules: str) -> None:
    """Make sure that the modules of an extra are installed, without importing them.

    Raises:
        PartMissing: Some are not; the sentence names them and what to install.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise PartMissing(f"{command} needs {', '.join(missing)}: pip install 'mainstay[platform]'")
