"""Virtual time, and what a balancer says."""

import pytest

from mainstay.core.events import Listeners
from mainstay.testing import Recorder, VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def events(recorder: Recorder) -> Listeners:
    listeners = Listeners()
    listeners.add(recorder)
    return listeners
