"""A process of ours: started through a shim, watched, signalled and ended, also after adoption."""

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mainstay.control.processes.ends import End, read_end, unknown_end
from mainstay.control.processes.identity import (
    ProcessIdentity,
    alive,
    lives,
    remains,
    started_s,
)
from mainstay.control.processes.shim import family
from mainstay.control.processes.shim.order import Order, pack
from mainstay.control.processes.watch import gone
from mainstay.core.errors import EngineRefused

__all__ = [
    "End",
    "LocalProcess",
    "ProcessIdentity",
    "ShimSpec",
    "SpawnFailed",
    "adopt",
    "launch",
    "sweep",
]

LAUNCH_S = 15.0
"""A shim that has not reported by then never will: it takes 20 ms on an idle machine."""

SHIM_S = 10.0
"""So long a shim may live after its child: more than all the bounds of its own together."""

KILL_S = 5.0
"""So long we wait for what got SIGKILL; after that it hangs in the kernel, and we say so."""

_SHIM = str(Path(family.__file__).with_name("__main__.py"))
# What an interpreter may need to start at all, and where `ps` is; nothing that holds a secret.
_SHIM_ENV = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH")
_REPORT_BYTES_MAX = 8192


class SpawnFailed(EngineRefused):
    """A process could not be started: program or folder missing, not permitted, no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimSpec:
    """What to run, and where its traces go.

    Attributes:
        name: The replica, such as ``catalog-1``.
        argv: The program, looked up on the ``PATH`` of ``env``, and its arguments.
        cwd: Working folder.
        env: The complete environment. Never shown: it has the secrets.
        log_path: Where output goes; older files beside it end in ``.1`` to ``.3``.
        end_path: Where the record of its life goes.
        log_bytes_max: Bound of one log file.
        memory_max_bytes: Bound of the resident memory of the child and all below it; None for none.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    env: tuple[tuple[str, str], ...] = field(repr=False)
    log_path: str
    end_path: str
    log_bytes_max: int = 16 * 2**20
    memory_max_bytes: int | None = None


class LocalProcess:
    """One child that lives, or did; made by ``launch`` and ``adopt``, within a running loop."""

    __slots__ = ("_ended", "_exited", "identity")

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity
        self._exited = asyncio.Event()
        # Watches from the start: the shim is collected even if nobody ever waits.
        self._ended = asyncio.get_running_loop().create_task(self._watch())

    @property
    def pid(self) -> int:
        """The child: the app itself."""
        return self.identity.pid

    @property
    def shim_pid(self) -> int:
        """The shim that owns the child."""
        return self.identity.shim_pid

    @property
    def started_s(self) -> float:
        """When the child began; for comparing, see ``identity.started_s``."""
        return self.identity.started_s

    @property
    def end(self) -> End | None:
        """How it ended; None as long as that is not known."""
        return self._ended.result() if self._ended.done() else None

    async def exited(self) -> None:
        """Return as soon as the child is dead, before its shim has cleared up after it."""
        await self._exited.wait()

    async def wait(self) -> End:
        """Return how the child ended, once everything that it started is gone, too.

        Usually some milliseconds after ``exited``; up to ``SHIM_S`` more if it left others behind.
        """
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> bool:
        """Send a signal to the child alone; False if it is gone or not ours to signal.

        A process that has the pid by now, but began at another time, is never signalled.
        """
        return _signal(self.pid, self.started_s, number)

    async def stop(self, grace_s: float) -> End:
        """End the child: SIGTERM, and after ``grace_s`` seconds SIGKILL to its whole group.

        Bounded by ``grace_s + KILL_S + SHIM_S``: what hangs in the kernel even then is reported as
        an unknown end.
        """
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.exited()
        except TimeoutError:
            _kill_group(self.identity)
        try:
            async with asyncio.timeout(KILL_S + SHIM_S):
                return await self.wait()
        except TimeoutError:
            return unknown_end(self.identity, f"it has not ended {KILL_S + SHIM_S} s after SIGKILL")

    def resident_bytes(self) -> int:
        """Return the resident memory of the child and all below it, in bytes; 0 if it is gone."""
        if not lives(self.pid, self.started_s):
            return 0
        return family.resident_bytes([self.pid, *family.descendants(self.pid)])

    def cpu_s(self) -> float:
        """Return the seconds of CPU that the child and its ended children used; 0 if it is gone."""
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        if not lives(self.pid, self.started_s):
            return 0.0
        return float(times.user + times.system + times.children_user + times.children_system)

    async def _watch(self) -> End:
        identity = self.identity
        child = asyncio.ensure_future(gone(identity.pid, identity.started_s))
        shim = asyncio.ensure_future(gone(identity.shim_pid, identity.shim_started_s))
        try:
            await asyncio.wait((child, shim), return_when=asyncio.FIRST_COMPLETED)
            if not child.done():
                # The shim was killed. On Linux the kernel ends the child with it; elsewhere, and
                # for what else is in its session, that is ours to do.
                await sweep(identity)
                await asyncio.wait((child,))
            self._exited.set()
            await asyncio.wait((shim,), timeout=SHIM_S)
            code = _collect(identity.shim_pid)
            await sweep(identity)
        finally:
            child.cancel()
            shim.cancel()
        end = read_end(identity)
        if end.reason == "unknown" and code is not None and code >= 0:
            return unknown_end(identity, end.detail, exit_code=code)
        return end


async def launch(spec: ShimSpec) -> LocalProcess:
    """Start a process through a shim and return it once the program itself runs.

    Raises:
        SpawnFailed: It could not be started; the sentence says why and shows no secret.
    """
    order = _order(spec)
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            shim_pid = _start_shim(spec.name, theirs.fileno())
        ours.setblocking(False)  # noqa: FBT003  The standard library's signature.
        shim_started_s = started_s(shim_pid)
        identity = None
        try:
            async with asyncio.timeout(LAUNCH_S):
                await loop.sock_sendall(ours, order)
                ours.shutdown(socket.SHUT_WR)
                report = await _read_report(loop, ours)
            identity = _identity(spec, shim_pid, report)
        except (TimeoutError, OSError) as error:
            raise SpawnFailed(f"{spec.name} cannot start: its shim did not report") from error
        finally:
            if identity is None:
                await _abandon(spec, shim_pid, shim_started_s)
    return LocalProcess(identity)


def adopt(identity: ProcessIdentity) -> LocalProcess | None:
    """Return the process that an earlier daemon started; None unless child and shim both live.

    What is left of one that cannot be adopted is ended by ``sweep``.
    """
    return LocalProcess(identity) if alive(identity) else None


async def sweep(identity: ProcessIdentity) -> tuple[int, ...]:
    """End whatever lives on in this child's session; return the pids that outlive SIGKILL.

    The shim is left for last, since it ends descendants that have left the session; it is killed
    if it does not go by itself.
    """
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    left = remains(identity)
    while left and loop.time() - began_s < SHIM_S + KILL_S:
        shim_last = loop.time() - began_s < SHIM_S
        for pid in left:
            if pid != identity.shim_pid or not shim_last:
                _kill(pid)
        await asyncio.sleep(0.02)
        _collect(identity.shim_pid)
        left = remains(identity)
    return left


def _order(spec: ShimSpec) -> bytes:
    try:
        return pack(
            Order(
                name=os.fsencode(spec.name),
                cwd=os.fsencode(spec.cwd),
                log_path=os.fsencode(spec.log_path),
                end_path=os.fsencode(spec.end_path),
                log_bytes_max=spec.log_bytes_max,
                memory_max_bytes=spec.memory_max_bytes,
                argv=[os.fsencode(argument) for argument in spec.argv],
                env={os.fsencode(name): os.fsencode(value) for name, value in spec.env},
            )
        )
    except ValueError as error:
        raise SpawnFailed(f"{spec.name} cannot start: {error}") from error


def _start_shim(name: str, order_fd: int) -> int:
    argv = [sys.executable, "-I", "-S", "-X", "utf8", _SHIM, name]
    env = {key: os.environ[key] for key in _SHIM_ENV if key in os.environ}
    # Its stderr is the socket, too: if the interpreter itself fails, that is the report.
    copies = [(os.POSIX_SPAWN_DUP2, order_fd, fd) for fd in (0, 1, 2)]
    try:
        return os.posix_spawn(sys.executable, argv, env, file_actions=copies)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise SpawnFailed(f"{name} cannot start: {sys.executable}: {why}") from error


async def _read_report(loop: asyncio.AbstractEventLoop, ours: socket.socket) -> str:
    """Return the shim's one line, or all that it said before it went away."""
    said = b""
    while b"\n" not in said or not said.startswith((b"running ", b"failed ")):
        piece = await loop.sock_recv(ours, _REPORT_BYTES_MAX)
        said += piece
        if not piece or len(said) > _REPORT_BYTES_MAX:
            break
    return os.fsdecode(said).strip()


def _identity(spec: ShimSpec, shim_pid: int, report: str) -> ProcessIdentity:
    word, _, rest = report.partition(" ")
    if word == "failed":
        raise SpawnFailed(rest)
    if word != "running":
        last_line = report[-400:].rpartition("\n")[2]
        raise SpawnFailed(f"{spec.name} cannot start: its shim failed: {last_line or 'in silence'}")
    pid, child_started, shim_started = rest.split()
    return ProcessIdentity(
        name=spec.name,
        pid=int(pid),
        started_s=float(child_started),
        shim_pid=shim_pid,
        shim_started_s=float(shim_started),
        log_path=spec.log_path,
        end_path=spec.end_path,
    )


async def _abandon(spec: ShimSpec, shim_pid: int, shim_started_s: float | None) -> None:
    """End a shim whose launch failed or was cancelled, with what it started, and collect it."""
    if shim_started_s is not None:
        report = f"running {shim_pid} {shim_started_s} {shim_started_s}"
        for pid in remains(_identity(spec, shim_pid, report)):
            _kill(pid)
        await gone(shim_pid, shim_started_s)
    _collect(shim_pid)


def _collect(shim_pid: int) -> int | None:
    """Return the exit code of a shim that ended, negative for a signal; None if not ours."""
    try:
        pid, status = os.waitpid(shim_pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if pid else None


def _signal(pid: int, since_s: float, number: int) -> bool:
    try:
        if not hasattr(os, "pidfd_open"):
            if not lives(pid, since_s):
                return False
            os.kill(pid, number)
            return True
        fd = os.pidfd_open(pid)
        try:
            # Looked at after opening, so that the pid cannot change hands in between.
            if not lives(pid, since_s):
                return False
            signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True


def _kill_group(identity: ProcessIdentity) -> None:
    """Kill the child's process group, which is the child's as long as the child is there."""
    if lives(identity.pid, identity.started_s):
        try:
            os.killpg(identity.pid, signal.SIGKILL)
        except OSError:
            # Ended in this moment; its shim ends the rest of the group.
            return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
