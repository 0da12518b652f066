"""Calls of the system that never wait, without a turn for other threads.

Python's own give the interpreter away, since they may take long. A thread that wants it has it
then, and each call of a busy process becomes two changes of threads. These keep it: so they are for
what doesn't block. Why one failed, Python's own call is asked, which says so.
"""

import ctypes
import os
import socket
from collections.abc import Callable
from functools import partial

_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)


def _function(name: str) -> Callable[..., int] | None:
    try:
        # Without declared types, which would double its cost: C takes these as they are.
        found: Callable[..., int] = ctypes.PyDLL(None)[name]
    except (OSError, AttributeError):
        # A program that was linked in another way.
        return None
    return found


_recv, _send, _write, _close = map(_function, ("recv", "send", "write", "close"))
_accept4 = _function("accept4")
_FLAGS_OF_NEW = getattr(socket, "SOCK_CLOEXEC", 0) | getattr(socket, "SOCK_NONBLOCK", 0)


def writer(number: int) -> Callable[[bytes], int]:
    """Return ``os.write`` to a description that doesn't block.

    Args:
        number: Of the description.
    """
    write = _write
    if write is None:
        return partial(os.write, number)

    def write_line(data: bytes) -> int:
        taken = write(number, data, len(data))
        return taken if taken >= 0 else os.write(number, data)

    return write_line


def accept(listener: socket.socket) -> socket.socket:
    """Return whoever came first to a listener that doesn't block.

    Returns:
        A connection that doesn't block, and that no program inherits.

    Raises:
        OSError: Nobody is there, or there is no room.
    """
    if _accept4 is not None and _FLAGS_OF_NEW:
        number = _accept4(listener.fileno(), None, None, _FLAGS_OF_NEW)
        if number >= 0:
            # Said in its type too, or Python would wait before its own calls for as long as is
            # usual in this process.
            kind = listener.type | socket.SOCK_NONBLOCK
            return socket.socket(listener.family, kind, listener.proto, number)
    stream, _ = listener.accept()
    stream.setblocking(False)  # noqa: FBT003  The standard library's.
    return stream


def receive(stream: socket.socket, bytes_max: int) -> bytes:
    """Return what has come; empty: the other end has closed, or the connection is broken.

    Args:
        stream: One that doesn't block.
        bytes_max: So much of it.

    Raises:
        OSError: Nothing has come (BlockingIOError).
    """
    if _recv is not None:
        buffer = ctypes.create_string_buffer(bytes_max)
        taken = _recv(stream.fileno(), buffer, bytes_max, _FLAGS)
        if taken >= 0:
            return buffer.raw[:taken]
    return stream.recv(bytes_max, socket.MSG_DONTWAIT)


def send(stream: socket.socket, data: bytes) -> int:
    """Send what the kernel takes at once; return how much that was.

    Args:
        stream: One that doesn't block.
        data: Of which so much is sent as there is room for.

    Raises:
        OSError: It takes nothing (BlockingIOError), or the connection is broken.
    """
    if _send is not None:
        taken = _send(stream.fileno(), data, len(data), _FLAGS)
        if taken >= 0:
            return taken
    return stream.send(data, socket.MSG_DONTWAIT)


def close(stream: socket.socket) -> None:
    """Close a connection."""
    if _close is None:
        stream.close()
    else:
        _close(stream.detach())
