"""What a piece of work costs the processor: in instructions where the kernel counts them.

Instructions don't depend on what else the machine does. Where they can't be counted (other systems,
containers that forbid it) the thread's own time on the processor stands in, the least of several.
"""

import ctypes
import gc
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable
from typing import Self

_SYSCALLS = {"x86_64": 298, "aarch64": 241}
_HARDWARE, _INSTRUCTIONS = 0, 1
_ATTRIBUTE_BYTES = 112
_EXCLUDE_KERNEL_AND_HYPERVISOR = 1 << 5 | 1 << 6
_ROUNDS = 5
"""Where time stands in."""


def _opened() -> int | None:
    """Return a descriptor that counts this thread's instructions; None where there is none."""
    number = _SYSCALLS.get(platform.machine())
    if number is None or not sys.platform.startswith("linux"):
        return None
    attribute = bytearray(_ATTRIBUTE_BYTES)
    struct.pack_into("IIQ", attribute, 0, _HARDWARE, _ATTRIBUTE_BYTES, _INSTRUCTIONS)
    struct.pack_into("Q", attribute, 40, _EXCLUDE_KERNEL_AND_HYPERVISOR)
    buffer = (ctypes.c_char * _ATTRIBUTE_BYTES).from_buffer(attribute)
    opened: int = ctypes.CDLL(None, use_errno=True).syscall(number, buffer, 0, -1, -1, 0)
    return opened if opened >= 0 else None


class Meter:
    """Counts what calls cost. To be closed, and used by the thread that made it."""

    def __init__(self) -> None:
        self._file = _opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)

    def cost(self, call: Callable[[], object]) -> int:
        """Return the least that a call cost of a few: instructions, or nanoseconds."""
        rounds = _ROUNDS if self._file is None else 1
        return min(self._once(call) for _ in range(rounds))

    def _once(self, call: Callable[[], object]) -> int:
        # A collection that falls due is nobody's work here.
        collects = gc.isenabled()
        gc.disable()
        try:
            begun = self._now()
            call()
            return self._now() - begun
        finally:
            if collects:
                gc.enable()

    def _now(self) -> int:
        if self._file is not None:
            return int.from_bytes(os.read(self._file, 8), sys.byteorder)
        used = resource.getrusage(resource.RUSAGE_THREAD)
        return round((used.ru_utime + used.ru_stime) * 1e9)
