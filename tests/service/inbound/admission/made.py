"""Exchanges as shells make them, and admission with a seed."""

import math
from random import Random
from typing import Any

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.service.inbound.admission import Admission
from mainstay.service.inbound.exchange import Exchange
from mainstay.spec.shed import Shed
from mainstay.testing import Recorder

CRITICAL, HIGH, MEDIUM, LOW = range(4)


def exchange(started_s: float, **attributes: Any) -> Exchange:
    """Return an exchange that has just arrived. Any: attributes are of any type."""
    made = Exchange()
    defaults: dict[str, Any] = {
        "scope": {}, "kind": "http", "method": "GET", "path": "/", "get": lambda name: None,
        "peer": None, "client": None, "trusted": False, "priority": MEDIUM,
        "started_s": started_s, "ready_s": started_s, "begun_s": 0.0,
        "expires_s": math.inf, "noted": None, "status": 0, "size": 0, "error": None,
        "refusal": None,
    }  # fmt: skip
    for name, value in (defaults | attributes).items():
        setattr(made, name, value)
    return made


def answered(one: Exchange, now_s: float) -> Exchange:
    """Let the answer of an exchange begin."""
    one.status, one.begun_s = 200, now_s
    return one


def admission(options: Shed, clock: Clock, recorder: Recorder | None = None) -> Admission:
    """Return admission whose chance is the same in every run."""
    events = Listeners()
    if recorder is not None:
        events.add(recorder)
    return Admission(options, clock=clock, events=events, rng=Random(1))
