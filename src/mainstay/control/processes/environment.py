"""The environment of a child: the daemon's, less what is meant for the daemon alone."""

from collections.abc import Mapping

_NOT_INHERITED = frozenset({
    # Of another interpreter than the child's, or of an interactive one.
    "PYTHONHOME", "PYTHONSTARTUP", "PYTHONINSPECT", "__PYVENV_LAUNCHER__",
    # Descriptors and a watchdog of the daemon's own supervisor; a child that answers or listens
    # there would speak in the daemon's name.
    "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
    # Of the terminal that `mainstay up` was typed in.
    "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL", "_",
})  # fmt: skip

_OURS = "MAINSTAY_"


def child_environment(base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Return the complete environment of a child.

    Output is unbuffered, so that the last words of a process that is killed are in its log.

    Args:
        base: The daemon's environment. Its ``MAINSTAY_`` variables are another process's and stay
            behind, as does what would confuse or impersonate.
        extra: What the child is given; it has the last word, over everything.
    """
    inherited = {
        name: value
        for name, value in base.items()
        if name not in _NOT_INHERITED and not name.startswith(_OURS)
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **extra}
