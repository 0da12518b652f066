"""What a process spends, by the processor's own counters: Linux, through ``perf_event_open``.

Instructions of user code are nearly the same at each run, whatever else the machine does, so that
they tell what a change costs where times tell what the neighbours did. Cycles show what the caches
made of it. The kernel's are counted too where this user may: root, or a low enough
``kernel.perf_event_paranoid``.
"""

import contextlib
import ctypes
import os
import platform
import struct
from pathlib import Path
from typing import NamedTuple, Self

_CALL = {"x86_64": 298, "aarch64": 241}
_HARDWARE, _CYCLES, _INSTRUCTIONS = 0, 0, 1
_ATTR_BYTES = 128
_TIMES = 1 | 2
"""PERF_FORMAT_TOTAL_TIME_ENABLED and _RUNNING: where counters are shared, what to scale by."""
_NO_USER, _NO_KERNEL, _NO_HYPERVISOR = 1 << 4, 1 << 5, 1 << 6


class Spent(NamedTuple):
    """Instructions and cycles, of user code and of the kernel for it."""

    instructions: float
    cycles: float
    kernel_instructions: float
    kernel_cycles: float

    def per(self, requests: int) -> "Spent":
        """Return the share of one of so many requests."""
        return Spent(*(value / requests for value in self))

    def __sub__(self, other: tuple[float, ...]) -> "Spent":
        """Return what was spent between two readings."""
        return Spent(*(after - before for after, before in zip(self, other, strict=True)))


class Counters(contextlib.AbstractContextManager["Counters"]):
    """The counters of all threads that a process has when this is made, and their later threads.

    Args:
        pid: The process; None: this thread alone.

    Raises:
        OSError: This system has none, or keeps them from this user.
    """

    def __init__(self, pid: int | None = None) -> None:
        threads = (
            [0] if pid is None else [int(one.name) for one in Path(f"/proc/{pid}/task").iterdir()]
        )
        kinds = [
            (_INSTRUCTIONS, _NO_KERNEL), (_CYCLES, _NO_KERNEL),
            (_INSTRUCTIONS, _NO_USER), (_CYCLES, _NO_USER),
        ]  # fmt: skip
        self._files: list[list[int]] = [[], [], [], []]
        for thread in threads:
            for files, (kind, flags) in zip(self._files, kinds, strict=True):
                try:
                    files.append(_opened(kind, flags, thread))
                except PermissionError:
                    if flags == _NO_KERNEL:
                        raise

    def read(self) -> Spent:
        """Return what was spent since this was made."""
        return Spent(*(sum(map(_value, files)) for files in self._files))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for files in self._files:
            for file in files:
                os.close(file)


def _opened(kind: int, flags: int, thread: int) -> int:
    inherit = 1 << 1
    attr = struct.pack(
        "=IIQQQQQ", _HARDWARE, _ATTR_BYTES, kind, 0, 0, _TIMES, inherit | flags | _NO_HYPERVISOR
    ).ljust(_ATTR_BYTES, b"\0")
    number = _CALL.get(platform.machine())
    if number is None:
        raise OSError(f"no number of perf_event_open is known for {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    file: int = libc.syscall(number, attr, thread, -1, -1, 0)
    if file < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "perf_event_open")
    return file


def _value(file: int) -> float:
    value, enabled, running = struct.unpack("=QQQ", os.read(file, 24))
    return value * enabled / running if running else 0.0
