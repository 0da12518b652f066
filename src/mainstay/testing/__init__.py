"""The public test kit: virtual time, faults on purpose, recorded events, seeded chance."""

from mainstay.testing.chance import seeded
from mainstay.testing.clock import VirtualClock
from mainstay.testing.errors import Deadlocked, RealWaitRefused, RunEndless, VirtualRunFailed
from mainstay.testing.faults import FaultInjected, Faults, Phase, faults, outage, slowdown
from mainstay.testing.loop import VirtualLoop, run_virtual, virtual_time
from mainstay.testing.recorder import Recorder, RecordingIncomplete

__all__ = [
    "Deadlocked",
    "FaultInjected",
    "Faults",
    "Phase",
    "RealWaitRefused",
    "Recorder",
    "RecordingIncomplete",
    "RunEndless",
    "VirtualClock",
    "VirtualLoop",
    "VirtualRunFailed",
    "faults",
    "outage",
    "run_virtual",
    "seeded",
    "slowdown",
    "virtual_time",
]
