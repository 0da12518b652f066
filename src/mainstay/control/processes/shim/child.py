"""The start of the child: a group of its own, its output into a pipe, its life bound to ours."""

import errno
import os

from mainstay.control.processes.shim import family, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from mainstay.control.processes.shim.order import Order


class ChildNotStarted(OSError):
    """The child could not be started; ``str(error)`` is one sentence for people."""


def start(order: "Order", output_fd: int) -> int:
    """Start what ``order`` says; return its pid, which is its process group as well.

    Raises:
        ChildNotStarted: Program or folder missing, not permitted, or the system has no room.
    """
    reading, writing = os.pipe()
    # Blocked until the child has its default handlers: a SIGTERM that arrives between fork and
    # exec would otherwise be swallowed by handlers that the child inherited from us.
    signals.block()
    try:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            raise ChildNotStarted(_sentence(order, b"", error.errno or 0)) from error
        if pid == 0:
            _become(order, output_fd, writing, parent)
    finally:
        signals.unblock()
    os.close(writing)
    # Ends when exec closes the other end, or with what went wrong.
    complaint = os.read(reading, 64)
    os.close(reading)
    if complaint:
        os.waitpid(pid, 0)
        raise ChildNotStarted(_sentence(order, complaint[:1], int(complaint[1:])))
    return pid


def _become(order: "Order", output_fd: int, complaint_fd: int, parent: int) -> "NoReturn":
    """Turn the fork that we are into the child. Leaves by exec or by ``_exit``, never by return."""
    where = b""
    try:
        os.setpgid(0, 0)
        # SIGKILL, and not SIGTERM: without its shim nobody bounds the child's memory, reads its
        # output or finds what it leaves behind, and a child may ignore SIGTERM for ever.
        family.die_with_parent(signals.KILL)
        if os.getppid() != parent:
            os._exit(127)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        where = b"f"
        os.chdir(order.cwd)
        where = b"p"
        signals.restore()
        os.execvpe(order.argv[0], order.argv, order.env)  # noqa: S606  No shell is the point.
    except OSError as error:
        os.write(complaint_fd, where + b"%d" % (error.errno or 0))
    finally:
        os._exit(127)


def _sentence(order: "Order", where: bytes, number: int) -> str:
    """Say why the child could not be started, without anything of its environment."""
    program, folder = os.fsdecode(order.argv[0]), os.fsdecode(order.cwd)
    name = os.fsdecode(order.name)
    if where == b"f":
        return f"{name} cannot start: its working folder {folder}: {os.strerror(number)}"
    if number == errno.ENOENT:
        why = "not found (or the interpreter that its first line names is not)"
    elif number == errno.ENOEXEC:
        why = "not a program that this system can run (is its first line missing the #!?)"
    else:
        why = os.strerror(number)
    subject = f"the program {program}" if where == b"p" else "the process"
    return f"{name} cannot start: {subject}: {why}"
