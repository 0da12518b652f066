"""Where lines go out: a way to stdout that doesn't block, of our own.

Making stdout itself not block would do so for everybody who shares it: the shell that started us,
a parent, a child. Opening the same pipe or terminal once more gives a description whose flags are
ours alone.
"""

import contextlib
import os
import select
import socket
import stat
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mainstay.core import at_once

PIPE_BUF = select.PIPE_BUF
"""A pipe takes so many bytes whole or not at all, whoever else writes to it (POSIX)."""


class Outlet(NamedTuple):
    """A way out that never waits.

    Attributes:
        write: Takes bytes and returns how many it took; raises BlockingIOError for none, another
            OSError where it is broken.
        number: Of the description, to wait on; -1 where nothing can be waited for.
        whole: Whether everything that is taken, is taken whole: regular files.
        close: Gives the description back; nothing can be written afterwards.
    """

    write: Callable[[bytes], int]
    number: int
    whole: bool
    close: Callable[[], None]


def open_outlet(number: int) -> Outlet:
    """Return a way out to what a file descriptor leads to.

    Args:
        number: Of the descriptor, which stays as it is; 1 is stdout.
    """
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        # A process that was started without it. Nobody reads what is written there.
        return Outlet(_nowhere, -1, whole=True, close=_do_nothing)
    if stat.S_ISSOCK(mode):
        return _socket_outlet(number)
    if stat.S_ISREG(mode):
        # A description of our own would have a place of its own in the file, and write over what
        # others write. A disk makes nobody wait as a reader does.
        own = os.dup(number)
        return Outlet(partial(os.write, own), own, whole=True, close=partial(os.close, own))
    # What may not be opened again (a pipe of another user's, or no /proc) is asked each time.
    with contextlib.suppress(OSError):
        own = os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        return Outlet(at_once.writer(own), own, whole=False, close=partial(os.close, own))
    return _asking_outlet(os.dup(number))


def _socket_outlet(number: int) -> Outlet:
    """Return a way out to a socket, as systemd gives one; its flags are said with each call."""
    own = socket.socket(fileno=os.dup(number))
    send, flags = own.send, socket.MSG_DONTWAIT
    return Outlet(lambda data: send(data, flags), own.fileno(), whole=False, close=own.close)


def _asking_outlet(own: int) -> Outlet:
    """Return a way out that asks before each write whether it would wait.

    A pipe that has room has at least PIPE_BUF bytes of it, so not more is written at once.
    """
    poll = select.poll()
    poll.register(own, select.POLLOUT)

    def write(data: bytes) -> int:
        if not poll.poll(0):
            raise BlockingIOError
        return os.write(own, data[:PIPE_BUF])

    return Outlet(write, own, whole=False, close=partial(os.close, own))


def _do_nothing() -> None:
    """Close what was never open."""


def _nowhere(_data: bytes) -> int:
    raise BrokenPipeError
