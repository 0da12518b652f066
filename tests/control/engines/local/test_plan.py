"""The plan: laws over random histories, and the examples that explain them."""

import dataclasses
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.control.engines.local.plan import (
    SURGE,
    Phase,
    Replica,
    Start,
    Stop,
    Wanted,
    after_end,
    in_crash_loop,
    next_start_s,
    plan,
)
from mainstay.spec.kinds.units import Between
from mainstay.spec.run import Restart

RESTART = Restart(backoff=Between(low_s=0.1, high_s=10.0), crashes=5, window_s=60.0)


def wanted(replicas: int, revision: str = "a", *, recreate: bool = False) -> Wanted:
    return Wanted(
        service="s",
        revision=revision,
        replicas=replicas,
        start_timeout_s=30.0,
        hang_timeout_s=30.0,
        restart=RESTART,
        recreate=recreate,
    )


def replica(
    number: int,
    phase: Phase = Phase.READY,
    revision: str = "a",
    since_s: float = 0.0,
    version: str = "1",
) -> Replica:
    return Replica(
        name=f"s-{number}",
        number=number,
        revision=revision,
        version=version,
        phase=phase,
        since_s=since_s,
    )


def test_first_start_begins_all_at_once() -> None:
    assert plan([], wanted(3), (), 0.0).actions == (
        Start(number=1),
        Start(number=2),
        Start(number=3),
    )


def test_a_dead_replica_is_replaced_under_its_number() -> None:
    assert plan([replica(1), replica(3)], wanted(3), (), 9.0).actions == (Start(number=2),)


def test_scaling_down_ends_the_youngest_and_spares_those_that_serve() -> None:
    observed = [replica(1), replica(2), replica(3, Phase.STARTING), replica(4)]
    assert plan(observed, wanted(2), (), 0.0).actions == (
        Stop(name="s-3", reason="scaled"),
        Stop(name="s-4", reason="scaled"),
    )


def test_a_rolling_restart_adds_before_it_takes() -> None:
    old = [replica(1, revision="old"), replica(2, revision="old")]
    assert plan(old, wanted(2), (), 0.0).actions == (Start(number=3),)
    assert plan([*old, replica(3, Phase.STARTING)], wanted(2), (), 0.0).actions == ()
    assert plan([*old, replica(3)], wanted(2), (), 0.0).actions == (
        Stop(name="s-1", reason="replaced"),
    )


def test_a_new_revision_that_fails_leaves_the_old_one_serving() -> None:
    old = [replica(1, revision="old"), replica(2, revision="old")]
    result = plan(old, wanted(2), (100.0,), 100.05)
    assert result.actions == ()
    assert result.wake_s == pytest.approx(100.1)


def test_a_replica_that_never_gets_ready_is_stopped_at_its_bound() -> None:
    starting = [replica(1, Phase.STARTING, since_s=5.0)]
    before = plan(starting, wanted(1), (), 34.9)
    assert (before.actions, before.wake_s) == ((), 35.0)
    after = plan(starting, wanted(1), (), 35.0)
    assert after.actions == (Stop(name="s-1", reason="start_timeout"), Start(number=2))


def hung(number: int, since_s: float) -> Replica:
    return Replica(
        name=f"s-{number}",
        number=number,
        revision="a",
        version="1",
        phase=Phase.READY,
        since_s=0.0,
        unhealthy_since_s=since_s,
    )


def test_a_hung_replica_goes_when_its_successor_serves() -> None:
    observed = [hung(1, since_s=100.0), replica(2)]
    assert plan(observed, wanted(2), (), 129.0).wake_s == 130.0
    assert plan(observed, wanted(2), (), 130.0).actions == (Start(number=3),)
    assert (
        plan([*observed, replica(3, Phase.STARTING, since_s=130.0)], wanted(2), (), 131.0).actions
        == ()
    )
    assert plan([*observed, replica(3)], wanted(2), (), 132.0).actions == (
        Stop(name="s-1", reason="unhealthy"),
    )


def test_a_hung_replica_is_kept_while_its_successors_fail() -> None:
    """Law: a broken new revision never costs what is left of the old one."""
    result = plan([hung(1, since_s=0.0)], wanted(1), (100.0,), 100.05)
    assert result.actions == ()
    assert result.wake_s == pytest.approx(100.1)


def test_a_retiring_replica_is_replaced_gracefully() -> None:
    retiring = Replica(
        name="s-1", number=1, revision="a", version="1", phase=Phase.READY, since_s=0.0, retire=True
    )
    assert plan([retiring], wanted(1), (), 0.0).actions == (Start(number=2),)
    assert plan([retiring, replica(2)], wanted(1), (), 0.0).actions == (
        Stop(name="s-1", reason="replaced"),
    )


def test_backoff_doubles_to_its_maximum_and_a_crash_loop_waits_longest() -> None:
    assert next_start_s(RESTART, ()) == 0.0
    assert next_start_s(RESTART, (10.0,)) == pytest.approx(10.1)
    assert next_start_s(RESTART, (10.0, 11.0)) == pytest.approx(11.2)
    assert next_start_s(RESTART, (10.0, 11.0, 12.0, 13.0, 14.0)) == pytest.approx(24.0)
    assert next_start_s(RESTART, tuple(float(n * 100) for n in range(2000))) <= 199900.0 + 10.0


def test_a_crash_loop_is_so_many_failures_within_the_window() -> None:
    assert in_crash_loop(RESTART, (1.0, 2.0, 3.0, 4.0, 5.0), 5.0)
    assert not in_crash_loop(RESTART, (1.0, 2.0, 3.0, 4.0), 5.0)
    assert not in_crash_loop(RESTART, (1.0, 2.0, 3.0, 4.0, 62.0), 62.0)


def test_only_short_lives_count_as_failures() -> None:
    assert after_end((), served_s=3600.0, now_s=1.0) == ()
    assert after_end((), served_s=0.5, now_s=1.0) == (1.0,)
    assert after_end((), served_s=None, now_s=1.0) == (1.0,)
    assert len(after_end(tuple(map(float, range(100))), served_s=None, now_s=200.0)) == 100


def test_a_version_that_shares_the_traffic_is_left_alone() -> None:
    """Law: while it has a weight it is neither replaced nor counted; without one it goes."""
    old = [replica(1, revision="old", version="1"), replica(2, revision="old", version="1")]
    sharing = dataclasses.replace(wanted(2), kept_versions=frozenset({"1"}))
    assert plan(old, sharing, (), 0.0).actions == (Start(number=3), Start(number=4))
    both = [*old, replica(3, version="2"), replica(4, version="2")]
    assert plan(both, sharing, (), 0.0).actions == ()
    assert plan(both, wanted(2), (), 0.0).actions == (
        Stop(name="s-1", reason="replaced"),
        Stop(name="s-2", reason="replaced"),
    )


def test_a_recreated_replica_is_gone_before_its_successor_is_started() -> None:
    target = wanted(1, "new", recreate=True)
    old = replica(1, revision="old")
    assert plan([old], target, (), 0.0).actions == (Stop(name="s-1", reason="replaced"),)
    leaving = replica(1, Phase.LEAVING, revision="old")
    assert plan([leaving], target, (), 1.0).actions == ()
    assert plan([], target, (), 2.0).actions == (Start(number=1),)


def test_recreating_goes_on_when_the_one_before_serves() -> None:
    target = wanted(2, "new", recreate=True)
    old = [replica(1, revision="old"), replica(2, revision="old")]
    assert plan(old, target, (), 0.0).actions == (Stop(name="s-1", reason="replaced"),)
    assert plan([old[1]], target, (), 1.0).actions == (Start(number=1),)
    starting = replica(1, Phase.STARTING, "new")
    assert plan([starting, old[1]], target, (), 2.0).actions == ()
    assert plan([replica(1, revision="new"), old[1]], target, (), 3.0).actions == (
        Stop(name="s-2", reason="replaced"),
    )


def test_recreating_spares_the_rest_while_the_successor_fails() -> None:
    target = wanted(2, "new", recreate=True)
    assert plan([replica(2, revision="old")], target, (100.0,), 100.05).actions == ()


def test_a_hung_replica_that_is_recreated_makes_room() -> None:
    target = wanted(1, recreate=True)
    assert plan([hung(1, since_s=0.0)], target, (), 31.0).actions == (
        Stop(name="s-1", reason="unhealthy"),
    )


class World:
    """A naive executor: starts take time, replicas may die, stops take time."""

    def __init__(self, rng: Random, count: int) -> None:
        self.rng = rng
        self.now_s = 0.0
        self.replicas = [replica(number + 1, revision="old") for number in range(count)]
        self.peak = self.processes = count

    def step(self, target: Wanted, *, may_die: bool) -> None:
        self.now_s += 0.1
        result = plan(self.replicas, target, (), self.now_s)
        for action in result.actions:
            match action:
                case Start(number=number):
                    assert number not in {one.number for one in self.replicas}
                    fresh = replica(number, Phase.STARTING, target.revision, self.now_s)
                    self.replicas.append(fresh)
                case Stop(name=name):
                    self.replicas = [
                        self._leaving(one) if one.name == name else one for one in self.replicas
                    ]
        alive = [one for one in self.replicas if one.phase is not Phase.LEAVING]
        self.peak = max(self.peak, len(alive))
        self.processes = max(self.processes, len(self.replicas))
        self.replicas = [one for one in map(self._age, self.replicas) if one is not None]
        if may_die and self.replicas and self.rng.random() < 0.05:
            self.replicas.pop(self.rng.randrange(len(self.replicas)))

    def _leaving(self, one: Replica) -> Replica:
        return replica(one.number, Phase.LEAVING, one.revision, self.now_s)

    def _age(self, one: Replica) -> Replica | None:
        if self.rng.random() < 0.5:
            return one
        if one.phase is Phase.STARTING:
            return replica(one.number, Phase.READY, one.revision, self.now_s)
        return None if one.phase is Phase.LEAVING else one

    def serving(self) -> int:
        return sum(one.phase is Phase.READY for one in self.replicas)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 8),
    target=st.integers(0, 8),
    recreate=st.booleans(),
)
def test_every_history_ends_where_it_is_wanted(
    seed: int,
    count: int,
    target: int,
    recreate: bool,  # noqa: FBT001  Hypothesis passes it by name.
) -> None:
    """Law: whatever dies on the way, the wanted number of the wanted revision serves in the end."""
    world = World(Random(seed), count)
    for _ in range(60):
        world.step(wanted(target, "new", recreate=recreate), may_die=True)
    for _ in range(400):
        world.step(wanted(target, "new", recreate=recreate), may_die=False)
    assert sorted({one.revision for one in world.replicas}) == (["new"] if target else [])
    assert world.serving() == len(world.replicas) == target


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 8))
def test_a_rolling_restart_never_serves_with_fewer_nor_runs_more_than_the_surge(
    seed: int, count: int
) -> None:
    """Law: with nothing dying, at least N serve at every moment and at most N + SURGE run."""
    world = World(Random(seed), count)
    for _ in range(400):
        world.step(wanted(count, "new"), may_die=False)
        assert world.serving() >= count
    assert world.peak <= count + SURGE
    assert {one.revision for one in world.replicas} == {"new"}


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 8))
def test_recreating_never_runs_more_and_takes_one_at_a_time(seed: int, count: int) -> None:
    """Law: at most N processes at every moment, those on their way out included; N - 1 serve."""
    world = World(Random(seed), count)
    for _ in range(400):
        world.step(wanted(count, "new", recreate=True), may_die=False)
        assert world.serving() >= count - 1
    assert world.processes <= count
    assert {one.revision for one in world.replicas} == {"new"}
