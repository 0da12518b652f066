"""Envoy is started, dies and comes back, is refused, adopted and drained."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
import sys
import time  # noqa: TID251  The time until Envoy is back is what is measured.
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.ports import free_port
from tests.system.edge.world import BOUND_S, Spawned, World, after, until

from mainstay.core.errors import EdgeRefused, EdgeUnavailable
from mainstay.edge import (
    EdgeAdopted,
    EdgeDied,
    EdgeDrained,
    EdgeHung,
    EdgePushed,
    EdgePushRefused,
    EdgeStarted,
    Resources,
)
from mainstay.edge.running.watch import ASK_EVERY_S, MISSES_MAX
from mainstay.spec.edge import Edge

pytestmark = pytest.mark.system


def broken(resources: Resources, **changes: object) -> Resources:
    """The same resources with a cluster that Envoy will not take."""
    bad = {**resources.clusters[0], **changes}
    return replace(resources, clusters=(bad, *resources.clusters[1:]))  # type: ignore[arg-type]  # Broken on purpose.


async def serves(world: World) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await world.get()).status_code == 200
    return False


async def test_everything_it_writes_is_private(world: World) -> None:
    await world.backend()
    await world.up()
    assert stat.S_IMODE(world.folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in world.folder.iterdir()}
    files = {"bootstrap.json", "cds.json", "rds.json", "lds.json"}
    assert set(modes) == files | {f".{name}.draft" for name in files} | {"admin.sock"}
    assert set(modes.values()) == {0o600}


async def test_killed_it_is_back_in_a_moment(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.backend()
    await world.up()
    first = world.spawner.spawned[0].pid
    began_s = time.monotonic()
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(world.spawner.spawned) == 2, "another Envoy is started")
    await until(lambda: serves(world), "it serves")
    took_s = time.monotonic() - began_s
    with capsys.disabled():
        sys.stdout.write(f"\nEnvoy killed: back after {took_s:.2f} s\n")
    # The figure to show is 1 s; the bound leaves room for a machine that has other work.
    assert took_s < 10
    await until(lambda: len(started(world)) == 2, "its return is told")
    died = [event for event in world.events if isinstance(event, EdgeDied)]
    assert [(event.pid, event.restart_in_s) for event in died] == [(first, 0.0)]


def started(world: World) -> list[EdgeStarted]:
    return [event for event in world.events if isinstance(event, EdgeStarted)]


async def test_one_that_hangs_is_killed_and_back(world: World) -> None:
    """It has not ended, so only its silence tells; and an adopted one is watched as well."""
    await world.backend()
    await world.up()
    process = world.spawner.spawned[0]
    await world.edge.leave()
    world.edge = world.another()
    await world.edge.adopt(process, world.resources(world.backends))
    process.signal(signal.SIGSTOP)
    await until(lambda: len(world.spawner.spawned) == 2, "another Envoy is started")
    await until(lambda: serves(world), "it serves")
    told = [event for event in world.events if isinstance(event, EdgeHung | EdgeDied)]
    assert [(type(event), event.pid) for event in told] == [
        (EdgeHung, process.pid),
        (EdgeDied, process.pid),
    ]


async def test_one_whose_folder_was_deleted_is_left_to_serve(world: World) -> None:
    """Nothing can be asked of it any more, which is no reason to end it."""
    await world.backend()
    await world.up()
    for path in world.folder.iterdir():
        path.unlink()
    ending = asyncio.create_task(world.spawner.spawned[0].wait())
    done, _ = await asyncio.wait([ending], timeout=MISSES_MAX * ASK_EVERY_S + 1.5)
    assert not done
    assert await serves(world)
    ending.cancel()


async def test_a_push_while_envoy_is_dead_is_taken_when_it_is_back(world: World) -> None:
    old, new = await world.backend("old"), await world.backend("new")
    await world.edge.start(world.resources([old]))
    os.kill(world.spawner.spawned[0].pid, signal.SIGKILL)
    await world.edge.push(world.resources([new]))
    assert set(await world.names(5)) == {"new"}


async def test_a_refused_push_says_why_and_changes_nothing(world: World) -> None:
    backend, other = await world.backend("kept"), await world.backend("other")
    good = world.resources([backend])
    await world.edge.start(good)
    files = {path: path.read_text() for path in world.folder.glob("*.json")}
    for bad in (
        broken(world.resources([other]), connect_timeout="0s"),
        broken(world.resources([other]), no_such_field=1),
        broken(world.resources([other]), connect_timeout={"not": "a duration"}),
    ):
        with pytest.raises(EdgeRefused, match=r"(?i)connect_?timeout|no_such_field") as refusal:
            await world.edge.push(bad)
        assert "\n" not in str(refusal.value)
        assert set(await world.names(5)) == {"kept"}
        assert {path: path.read_text() for path in world.folder.glob("*.json")} == files
    refused = [event for event in world.events if isinstance(event, EdgePushRefused)]
    assert len(refused) == 3
    await world.edge.push(world.resources([other]))
    assert set(await world.names(5)) == {"other"}


async def test_after_a_refusal_a_dead_envoy_comes_back_with_the_last_good(world: World) -> None:
    backend = await world.backend("kept")
    resources = world.resources([backend])
    await world.edge.start(resources)
    with pytest.raises(EdgeRefused):
        await world.edge.push(broken(resources, no_such_field=1))
    os.kill(world.spawner.spawned[0].pid, signal.SIGKILL)
    await until(lambda: len(world.spawner.spawned) == 2, "another Envoy is started")
    await until(lambda: serves(world), "it serves")


async def test_a_listener_on_a_taken_port_is_refused_and_the_rest_serves_on(world: World) -> None:
    backend = await world.backend("kept")
    await world.edge.start(world.resources([backend]))
    first = world.port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        world.port = taken.getsockname()[1]
        world.declare(Edge())
        with pytest.raises(EdgeRefused, match=rf"cannot bind '127.0.0.1:{world.port}'"):
            await world.edge.push(world.resources([backend]))
    world.port = first
    assert set(await world.names(5)) == {"kept"}


async def test_a_taken_port_at_the_start_leaves_nothing_running(world: World) -> None:
    await world.backend()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", world.port))
        taken.listen()
        with pytest.raises(EdgeRefused, match=rf"cannot bind '127.0.0.1:{world.port}'"):
            await world.up()
    assert world.edge.process is None
    await world.spawner.spawned[0].wait()
    assert not (world.folder / "admin.sock").exists()


async def test_two_edges_never_share_a_port(world: World, tmp_path: Path) -> None:
    """Envoy's default would let a second one of the same user take half of the connections."""
    await world.backend("first")
    await world.up()
    second = World(folder=tmp_path / "second", log=tmp_path / "second.log", port=world.port)
    try:
        await second.backend("second")
        with pytest.raises(EdgeRefused, match="cannot bind"):
            await second.up()
    finally:
        await second.close()
    assert set(await world.names(10)) == {"first"}


async def test_a_wrong_configuration_is_refused_before_anything_starts(world: World) -> None:
    backend = await world.backend()
    with pytest.raises(EdgeRefused, match=r"connect_timeout|ConnectTimeout"):
        await world.edge.start(broken(world.resources([backend]), connect_timeout="0s"))
    assert world.spawner.spawned == []


async def test_a_start_that_is_cancelled_leaves_nothing_running(world: World) -> None:
    hung = await world.backend()
    hung.health = 0
    starting = asyncio.create_task(world.up())
    await until(lambda: len(world.spawner.spawned) == 1, "Envoy is started")
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await world.spawner.spawned[0].wait()


async def test_another_runtime_adopts_what_runs(world: World) -> None:
    old, new = await world.backend("old"), await world.backend("new")
    await world.edge.start(world.resources([old]))
    process = world.spawner.spawned[0]
    await world.edge.leave()
    assert set(await world.names(5)) == {"old"}, "traffic flows without anybody who looks"
    world.edge = world.another()
    await world.edge.adopt(process, world.resources([old]))
    pushed = [event for event in world.events if isinstance(event, EdgePushed)]
    assert pushed[-1].files == 0, "what Envoy has is not pushed again"
    assert [event.pid for event in world.events if isinstance(event, EdgeAdopted)] == [process.pid]
    await world.edge.push(world.resources([new]))
    assert set(await world.names(5)) == {"new"}
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: len(world.spawner.spawned) == 2, "the adopted one is kept alive as well")
    await until(lambda: serves(world), "it serves")


async def test_an_adopted_envoy_gets_what_its_last_daemon_left_half_done(world: World) -> None:
    """The daemon died between writing a file and knowing that Envoy had refused it."""
    old, new = await world.backend("old"), await world.backend("new")
    await world.edge.start(world.resources([old]))
    await world.edge.leave()
    clusters = world.folder / "cds.json"
    draft = clusters.with_name("draft")
    draft.write_text(clusters.read_text().replace('"2s"', '"0s"'))
    draft.rename(clusters)
    world.edge = world.another()
    await world.edge.adopt(world.spawner.spawned[0], world.resources([new]))
    assert set(await world.names(5)) == {"new"}


async def test_a_drain_lets_a_slow_request_finish(world: World) -> None:
    backend = await world.backend()
    backend.answer = after(1.5, "finished")
    await world.up()
    request = asyncio.create_task(world.get())
    await until(lambda: len(backend.seen) == 1, "the request is in flight")
    await world.edge.drain(20)
    response = await request
    assert (response.status_code, response.text) == (200, "finished")
    assert response.headers["connection"] == "close"
    await world.spawner.spawned[0].wait()
    drained = [event for event in world.events if isinstance(event, EdgeDrained)]
    assert [event.cut for event in drained] == [0]
    assert not (world.folder / "admin.sock").exists()
    with pytest.raises(EdgeUnavailable):
        await world.edge.push(world.resources([backend]))


async def test_a_drain_ends_at_its_bound(world: World) -> None:
    backend = await world.backend()
    backend.answer = after(60, "never")
    await world.up()
    request = asyncio.create_task(world.get())
    await until(lambda: len(backend.seen) == 1, "the request is in flight")
    await world.edge.drain(0.3)
    with pytest.raises(httpx.HTTPError):
        await request
    drained = [event for event in world.events if isinstance(event, EdgeDrained)]
    assert [event.cut for event in drained] == [1]


async def test_a_drain_under_load_takes_no_new_requests_after_a_while(world: World) -> None:
    """Law: what was taken is answered; a client is turned away by its connection alone.

    A connection in the queue of a listener that closes is reset by the kernel, before anybody has
    read from it. On a busy machine that can be the last one of every client.
    """
    backend = await world.backend()
    await world.up()
    statuses: list[int] = []

    async def client() -> str:
        while True:
            try:
                response = await world.get()
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                return type(error).__name__
            statuses.append(response.status_code)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    await until(lambda: len(statuses) >= 4, "they ask")
    await world.edge.drain(20)
    async with asyncio.timeout(BOUND_S):
        ended = await asyncio.gather(*clients)
    assert set(statuses) == {200}
    assert len(backend.seen) == len(statuses), ended
    with pytest.raises(httpx.ConnectError):
        await world.get()


async def test_draining_what_never_ran_or_is_dead_is_no_error(world: World) -> None:
    await world.edge.drain(1)
    await world.backend()
    await world.up()
    await world.edge.drain(1)
    await world.edge.drain(1)
    assert world.edge.process is None


async def test_a_folder_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 15) / ("deeper" * 15) / "edge"
    world = World(folder=folder, log=tmp_path / "edge.log")
    try:
        await world.backend("here")
        await world.up()
        assert set(await world.names(3)) == {"here"}
        await world.edge.push(world.resources([]))
        assert not (folder / "admin.sock").exists()
        await world.edge.drain(1)
    finally:
        await world.close()


async def test_what_cannot_be_started_says_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    world.folder = tmp_path / "file" / "edge"
    with pytest.raises(EdgeUnavailable, match="folder cannot be made"):
        await world.another().start(world.resources([]))
    world.folder = tmp_path / "edge"

    async def fails(name: str, argv: Sequence[str]) -> Spawned:
        raise OSError(errno.EAGAIN, "no more processes")

    world.spawner.launch = fails  # type: ignore[method-assign]  # A launcher that can't.
    edge = world.another()
    with pytest.raises(EdgeUnavailable, match=r"could not be started: .*no more processes"):
        await edge.start(world.resources([]))
    assert edge.process is None


async def test_an_envoy_that_dies_again_and_again_is_restarted_ever_more_slowly(
    world: World,
) -> None:
    world.folder.mkdir()
    launch = world.spawner.launch

    async def short_lived(name: str, argv: Sequence[str]) -> Spawned:
        return await launch(name, ("true",))

    world.spawner.launch = short_lived  # type: ignore[method-assign]  # What it starts ends at once.
    first = await world.spawner.launch("edge", ())
    adopting = asyncio.create_task(world.edge.adopt(first, world.resources([])))

    def delays() -> list[float]:
        return [event.restart_in_s for event in world.events if isinstance(event, EdgeDied)]

    await until(lambda: len(delays()) >= 4, "it is restarted a few times")
    assert delays()[:4] == [0.0, 0.1, 0.2, 0.4]
    adopting.cancel()
    await asyncio.gather(adopting, return_exceptions=True)
    await world.edge.drain(0)
    assert world.edge.process is None


async def test_a_listener_may_come_go_and_move(world: World) -> None:
    backend = await world.backend("here")
    member = world.resources([backend])
    await world.edge.start(replace(member, listeners=()))
    assert not await serves(world)
    await world.edge.push(member)
    assert await serves(world)
    old, world.port = world.port, free_port()
    world.declare(Edge())
    await world.edge.push(world.resources([backend]))
    assert await serves(world)
    world.port = old
    await until(lambda: _not(serves(world)), "the old port is closed")
    await world.edge.push(replace(member, listeners=()))
    await world.edge.push(member)
    assert await serves(world)


async def _not(found: object) -> bool:
    return not await found  # type: ignore[misc]  # A coroutine of bool; the lambda hides it.
