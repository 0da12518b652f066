"""Signals of the shim: which it passes on, and how they wake its loop.

The ``signal`` module only wraps ``_signal`` in enums; going below it saves every shim 0.8 MB.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    try:
        import _signal
    except ImportError:
        import signal as _signal

KILL = int(_signal.SIGKILL)
TERM = int(_signal.SIGTERM)

PASSED_ON = tuple(
    int(number)
    for number in (
        _signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP,
        _signal.SIGQUIT, _signal.SIGUSR1, _signal.SIGUSR2,
    )
)  # fmt: skip
"""What reaches the shim and is meant for the child: for it alone, not for its group."""

_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)


def _wake(number: int, frame: object) -> None:
    """Nothing: the interpreter has written the number into the wake-up pipe already."""


def listen() -> int:
    """Catch what is passed on and the death of children; return a descriptor that reads them.

    Each signal is one byte, its number. The pipe holds thousands; what is more is the same again.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    _signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*PASSED_ON, int(_signal.SIGCHLD)):
        _signal.signal(number, _wake)
    return reading


def block() -> None:
    """Hold back what ``listen`` catches."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)


def unblock() -> None:
    """Let through what ``block`` held back."""
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, PASSED_ON)


def restore() -> None:
    """Give a fork the handlers that a new process has: the system's own."""
    for number in (*PASSED_ON, _signal.SIGCHLD, *_IGNORED_BY_PYTHON):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
