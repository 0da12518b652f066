"""Telling a running Envoy of a new configuration, and knowing that it serves by it."""

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mainstay.core.clock import Clock
from mainstay.core.errors import EdgeRefused, EdgeUnavailable, PartMissing
from mainstay.edge.envoy.listeners import asks_for_routes
from mainstay.edge.envoy.protojson import JsonValue
from mainstay.edge.envoy.resources import Discovery, Kind, Resources, discoveries
from mainstay.edge.running.admin import Admin
from mainstay.edge.running.binary import validate
from mainstay.edge.running.files import read_discovery, read_text
from mainstay.edge.running.moves import Address
from mainstay.edge.running.room import write_in_room
from mainstay.edge.running.uptake import STATS_TARGET, Uptake, plan_push, read_uptake

PUSH_TIMEOUT_S = 10.0
"""Of a whole push. It takes milliseconds, unless a new cluster waits for the first health check of
a replica that hangs: until the check's timeout, 2 s by default."""

POLL_S = (0.001, 0.05)
"""Between two questions, first and longest: an answer costs Envoy's main thread about 1 ms."""

RELEASE_S = 2.0
"""Bound of the wait until a listener that went has released its port; it takes milliseconds."""

SENTENCES_MAX = 3
"""Reasons that a refusal names; whoever mends these sees the rest."""


class FileRefused(Exception):
    """Envoy counted a refused file of ``kind``."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        super().__init__(kind.value)


def poll_pauses_s() -> Iterator[float]:
    """Yield the pauses between questions, doubling from the first to the longest, without end."""
    pause_s, longest_s = POLL_S
    while True:
        yield pause_s
        pause_s = min(pause_s * 2, longest_s)


def write_resources(folder: Path, resources: Resources) -> None:
    """Write what is not there yet, for an Envoy that is about to start.

    Raises:
        EdgeUnavailable: A file cannot be written.
    """
    for file in discoveries(resources):
        write_unless_same(folder / file.kind.file, file.text)


def write_unless_same(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` unless it is what stands there; raises as ``write_in_room``."""
    if read_text(path) != text:
        write_in_room(path, text)


def read_resources(folder: Path) -> Resources:
    """Return what the files say: what Envoy takes when it starts. Nothing where there are none."""
    return Resources(
        clusters=read_discovery(folder / Kind.CLUSTERS.file),
        routes=read_discovery(folder / Kind.ROUTES.file),
        listeners=read_discovery(folder / Kind.LISTENERS.file),
    )


async def push(
    folder: Path,
    resources: Resources,
    *,
    admin: Admin,
    clock: Clock,
    timeout_s: float = PUSH_TIMEOUT_S,
) -> int:
    """Write what Envoy does not have yet, wait until it serves by it, and return the files written.

    Raises:
        EdgeRefused: Envoy does not take it; the files are as they were, and Envoy never stopped
            serving by them, but for a listener that was to move to or from all addresses.
        EdgeUnavailable: Envoy did not take it in time, or a file could not be written. What was
            written stays, and Envoy takes it when it can; a later push goes on from there.
    """
    give_up_s = clock.monotonic_s() + timeout_s
    before = await _wait(admin, clock, give_up_s, lambda _: True)
    wanted = discoveries(resources)
    steps = plan_push(read_resources(folder), resources, before)
    # What is put back after a refusal, the last written first: nothing may refer to what is gone.
    replaced: dict[Path, str | None] = {}
    try:
        for step in steps:
            file = step.file
            path = folder / file.kind.file
            await _until_free(step.free, clock)
            replaced.setdefault(path, read_text(path))
            write_in_room(path, file.text)
            await _wait(admin, clock, give_up_s, partial(_took, file, before))
        await _wait(admin, clock, give_up_s, lambda now: now.serves_all(wanted))
    except FileRefused as error:
        why = await _why(folder, resources, error.kind, admin)
        raise EdgeRefused(why + _put_back(replaced)) from error
    return len(steps)


async def wait_until_served(
    resources: Resources, *, admin: Admin, clock: Clock, timeout_s: float
) -> None:
    """Return when an Envoy that was just started serves by ``resources``.

    Raises:
        EdgeRefused: It refused a file: as when a port is in use.
        EdgeUnavailable: It did not within ``timeout_s``.
    """
    give_up_s = clock.monotonic_s() + timeout_s
    files = discoveries(resources)
    needs_routes = any(map(asks_for_routes, resources.listeners))

    def served(now: Uptake) -> bool:
        refused = [file.kind for file in files if now.rejected.get(file.kind)]
        if refused:
            raise FileRefused(refused[0])
        asked = not needs_routes or Kind.ROUTES in now.versions
        return asked and now.serves_all(files)

    try:
        await _wait(admin, clock, give_up_s, served)
    except FileRefused as error:
        why = await _refusal_in_words(admin)
        raise EdgeRefused(why or f"Envoy refused {error.kind.file}; see its log") from error


async def _until_free(addresses: Sequence[Address], clock: Clock) -> None:
    """Wait for the sockets of listeners that went; Envoy closes them a moment after it said so.

    An address that stays in use is no error here: Envoy will say it.
    """
    give_up_s = clock.monotonic_s() + RELEASE_S
    for pause_s in poll_pauses_s():
        if not any(map(_in_use, addresses)) or clock.monotonic_s() >= give_up_s:
            return
        await asyncio.sleep(pause_s)


def _in_use(address: Address) -> bool:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As Envoy binds: connections that are still closing are no obstacle, a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address.host, address.port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _took(file: Discovery, before: Uptake, now: Uptake) -> bool:
    if now.rejected.get(file.kind, 0) > before.rejected.get(file.kind, 0):
        raise FileRefused(file.kind)
    if file.kind is Kind.ROUTES and Kind.ROUTES not in now.versions:
        # There is no listener yet that asks for routes; the file waits for it.
        return True
    return now.serves(file)


async def _wait(
    admin: Admin, clock: Clock, give_up_s: float, enough: Callable[[Uptake], bool]
) -> Uptake:
    """Ask until ``enough``; an Envoy that is being restarted meanwhile is waited for as well."""
    for pause_s in poll_pauses_s():
        try:
            answer = await admin.get(STATS_TARGET)
        except EdgeUnavailable:
            if clock.monotonic_s() >= give_up_s:
                raise
        else:
            uptake = read_uptake(answer.body)
            if answer.status == 200 and enough(uptake):  # noqa: PLR2004  HTTP's OK.
                return uptake
            if clock.monotonic_s() >= give_up_s:
                raise EdgeUnavailable(
                    "Envoy has not taken the configuration in time; it goes on with the last one"
                    + (" until the first health checks are in" if uptake.warming else "")
                )
        await asyncio.sleep(pause_s)
    raise AssertionError("the pauses have no end")


def _put_back(replaced: dict[Path, str | None]) -> str:
    """Restore files, the last written first; return what to say if that fails, or nothing."""
    troubles = []
    for path, text in reversed(replaced.items()):
        if text is not None:
            try:
                write_in_room(path, text)
            except EdgeUnavailable as error:
                troubles.append(f"; and the last one could not be put back: {error}")
    return "".join(troubles)


async def _why(folder: Path, resources: Resources, kind: Kind, admin: Admin) -> str:
    """Return why Envoy refused; whatever goes wrong with asking, the files are to be put back."""
    with contextlib.suppress(EdgeUnavailable, PartMissing):
        if kind is Kind.LISTENERS:
            why = await _refusal_in_words(admin)
            if why:
                return why
        try:
            await validate(folder, resources)
        except EdgeRefused as error:
            return str(error)
    return f"Envoy refused {kind.file}; see its log"


async def _refusal_in_words(admin: Admin) -> str | None:
    """Return why Envoy refused listeners: what it remembers of each of them."""
    answer = await admin.get("/config_dump?resource=dynamic_listeners")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    sentences = sorted(set(_error_details(found)))
    if not sentences:
        return None
    more = len(sentences) - SENTENCES_MAX
    return (
        "Envoy refused a listener: "
        + "; ".join(sentences[:SENTENCES_MAX])
        + (f"; and {more} more" if more > 0 else "")
    )


def _error_details(value: JsonValue) -> Iterator[str]:
    configs = value.get("configs") if isinstance(value, dict) else None
    for config in configs if isinstance(configs, list) else []:
        state = config.get("error_state") if isinstance(config, dict) else None
        details = state.get("details") if isinstance(state, dict) else None
        if isinstance(details, str):
            yield details
