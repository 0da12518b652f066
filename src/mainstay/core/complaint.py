"""The last resort of whoever has something to say while requests go on: stderr, if it listens."""

import sys


def complain(text: str) -> None:
    """Write ``text`` to stderr. Never raises: a stderr that is closed or full loses it."""
    if sys.stderr is None:
        # So it is in a process that was started without one.
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        # Nobody listens, and there is nowhere left to say so.
        return
