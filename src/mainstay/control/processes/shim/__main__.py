"""Where the shim begins: ``python -I -S -X utf8 …/shim/__main__.py NAME``, its order on fd 0.

Nothing is imported that is not needed: a machine runs one shim for every replica. So the packages
above this one are put in place as empty ones, and none of their ``__init__`` runs; the modules
beside this file come from their compiled form, which running one long script would not give.
"""

import sys

PACKAGE = "mainstay.control.processes.shim"


def lay_path(package: str, folder: str) -> None:
    """Make ``package`` importable from ``folder``, with empty packages above it."""
    parts = package.split(".")
    for depth in range(1, len(parts) + 1):
        module = type(sys)(".".join(parts[:depth]))
        # Only the last one holds modules; an empty path means: nothing to be found here.
        module.__path__ = [folder] if depth == len(parts) else []
        sys.modules[module.__name__] = module


if __name__ == "__main__":
    lay_path(PACKAGE, __file__.rpartition("/")[0])

    from mainstay.control.processes.shim.owner import main

    sys.exit(main())
