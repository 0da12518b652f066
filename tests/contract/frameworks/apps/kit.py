"""What the apps of the contract share: one declaration, and what their handlers say and note."""

import asyncio
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

from mainstay import Service, current_trace, remaining_s
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.stores import NoStores
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import Quota
from mainstay.spec.perimeter import Cors
from mainstay.spec.ratelimit import RateLimit
from mainstay.spec.shed import Shed

ORIGIN = "https://web.example"
HOST = "app.example"
BODY_MAX = 6 * 2**20
SECRET = "secret detail"  # What must never leave the process.
STEP_S = 0.01
GATE_S = 60.0
FAMOUS_LAST_WORDS = b"second"

_pause = threading.Event()  # Nobody sets it.

inner: ContextVar[str] = ContextVar("inner", default="unset")
"""Set by handlers; who stands around the app looks."""


def declaration(**changed: Any) -> Declaration:
    """Return what every app declares. Any: fields of ``Inbound``, which checks them."""
    inbound: dict[str, Any] = {
        # 127.0.0.2 is a stranger, and on this machine all the same.
        "trust": ("127.0.0.1/32",),
        "deadline_s": 30.0,
        "drain_s": 30.0,
        "hosts": (HOST,),
        "body_bytes_max": BODY_MAX,
        "cors": Cors(origins=(ORIGIN,)),
        "rate_limit": (
            RateLimit(
                rate=Quota(count=2, per_s=86400), name="few", routes=("/limited", "/ws/limited")
            ),
        ),
        "shed": Shed(mode="fixed", limit=100),
    }
    own_url = os.environ.get("OWN_URL", "http://127.0.0.1:9")
    return Declaration(
        service="contract",
        app="contract:app",
        inbound=Inbound(**{**inbound, **changed}),
        dependencies=(
            ("itself", Dependency(url=own_url, criticality="optional")),
            ("keys", Dependency(url="redis://127.0.0.1:9/0", criticality="optional")),
        ),
    )


class InMemory(NoStores):
    """Stores of one process."""

    def records(self, url: str) -> MemoryRecords:
        return MemoryRecords(clock=SYSTEM_CLOCK)


service = Service(declaration(idempotency=Idempotency(store="keys")), stores=InMemory())


class Noted:
    """What handlers note, for another request to ask."""

    def __init__(self) -> None:
        self.startups = 0
        self.cancelled = 0
        self.left = 0
        self.after: dict[str, Any] = {}
        self.released: set[str] = set()
        self.charged: Counter[str] = Counter()


noted = Noted()


def state() -> dict[str, Any]:
    """Return what was noted, and what the wrapper holds without this request."""
    admission = service._inbound.admission
    assert admission is not None
    return {
        "in_flight": admission.stats().in_flight - 1,
        "flights": len(service._inbound.drain.flights) - 1,
        "startups": noted.startups,
        "cancelled": noted.cancelled,
        "left": noted.left,
        "after": noted.after,
        "charged": noted.charged,
    }


def started() -> None:
    noted.startups += 1
    print(json.dumps({"message": "startup"}), flush=True)  # noqa: T201  A test reads it.


def stopped() -> None:
    print(json.dumps({"message": "shutdown"}), flush=True)  # noqa: T201  A test reads it.


def seen() -> dict[str, Any]:
    """Return what this piece of code knows of the request that it works for."""
    trace = current_trace()
    if trace is None:
        return {}
    return {
        "trace_id": trace.trace_id,
        "parent_id": trace.parent_id,
        "request_id": trace.request_id,
        "bounded": remaining_s() is not None,
    }


async def everywhere() -> dict[str, Any]:
    """Return what is seen in the handler, its tasks, threads and executors."""

    async def task() -> dict[str, Any]:
        await asyncio.sleep(0)
        return seen()

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        return {
            "handler": seen(),
            "task": await asyncio.create_task(task()),
            "thread": await asyncio.to_thread(seen),
            "executor": await loop.run_in_executor(pool, copy_context().run, seen),
        }


def everywhere_sync() -> dict[str, Any]:
    """Return the same of a handler that runs in a thread."""
    found: list[dict[str, Any]] = []
    context = copy_context()
    thread = threading.Thread(target=context.run, args=(lambda: found.append(seen()),))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(1) as pool:
        executor = pool.submit(copy_context().run, seen).result()
    return {"handler": seen(), "thread": found[0], "executor": executor}


def note_after(name: str, fail: str) -> None:
    """Do what happens in the background when the answer is out."""
    noted.after[name] = seen()
    if fail == "1":
        raise LookupError(f"background {name}")


async def anote_after(name: str, fail: str) -> None:
    note_after(name, fail)


async def slow() -> str:
    """Take longer than any deadline; note how it ends."""
    try:
        await asyncio.sleep(GATE_S)
    except asyncio.CancelledError:
        noted.cancelled += 1
        raise
    return "slow"


def slow_sync() -> str:
    """Work until the time is up, as code that nobody can cancel."""
    for _ in range(int(GATE_S / STEP_S)):
        left_s = remaining_s()
        if left_s is not None and left_s <= 0:
            break
        _pause.wait(STEP_S)
    return "slow"


async def charge(name: str) -> dict[str, int]:
    """Do what must not be done twice, and come to an answer when it is released."""
    noted.charged[name] += 1
    for _ in range(int(GATE_S / STEP_S)):
        if name in noted.released:
            break
        await asyncio.sleep(STEP_S)
    return {"charged": noted.charged[name]}


def charge_sync(name: str) -> dict[str, int]:
    noted.charged[name] += 1
    for _ in range(int(GATE_S / STEP_S)):
        if name in noted.released:
            break
        _pause.wait(STEP_S)
    return {"charged": noted.charged[name]}


async def leave() -> str:
    """End by what is no exception."""
    raise SystemExit(3)


def leave_sync() -> str:
    raise SystemExit(3)


async def cancelled() -> str:
    """End by a cancellation that nobody asked for."""
    task = asyncio.ensure_future(asyncio.sleep(GATE_S))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task
    return "not reached"


async def gate(name: str) -> AsyncIterator[bytes]:
    """Say one thing, and the other when it is released."""
    yield b"first"
    for _ in range(int(GATE_S / STEP_S)):
        if name in noted.released:
            break
        await asyncio.sleep(STEP_S)
    yield FAMOUS_LAST_WORDS


def gate_sync(name: str) -> Iterator[bytes]:
    yield b"first"
    for _ in range(int(GATE_S / STEP_S)):
        if name in noted.released:
            break
        _pause.wait(STEP_S)
    yield FAMOUS_LAST_WORDS


def release(name: str) -> str:
    noted.released.add(name)
    return "released"


async def events() -> AsyncIterator[bytes]:
    for number in range(3):
        yield f"data: {number} {seen().get('trace_id')}\n\n".encode()


def events_sync() -> Iterator[bytes]:
    for number in range(3):
        yield f"data: {number} {seen().get('trace_id')}\n\n".encode()


def digest(parts: Iterable[bytes]) -> dict[str, Any]:
    """Return length and hash of a body."""
    found, length = hashlib.sha256(), 0
    for part in parts:
        found.update(part)
        length += len(part)
    return {"length": length, "sha256": found.hexdigest()}


_clients: dict[str, Any] = {}


async def outbound() -> Any:
    """Return the headers that a call from within a handler arrives with. Any: parsed JSON."""
    if "async" not in _clients:
        _clients["async"] = service.dependency("itself").http_client()
    return (await _clients["async"].get("/headers")).json()


def outbound_sync() -> Any:
    """Return the same of a synchronous call. Any: parsed JSON."""
    if "sync" not in _clients:
        _clients["sync"] = service.dependency("itself").sync_http_client()
    return _clients["sync"].get("/headers").json()


PAGE = "<!doctype html><title>A page</title><p>Hello."
