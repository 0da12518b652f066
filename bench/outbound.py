"""What a policy costs, beside what else does the job: ``python bench/outbound.py [--json]``.

The peers run in the same process, in alternating rounds; of each the best round counts, since
noise only adds. A row says what it has to reach, as a ratio to the best peer of the same run.

Each contender runs in a context of its own: a context variable that one leaves behind would slow
down whoever sets one later. ``--variables N`` sets as many others in it, as a service might: then
setting ours costs up to twice as much, as it does in any program.

Peers, for this bench only (never in the package's own environment):
    tenacity stamina pybreaker circuitbreaker pyfailsafe pyresilience hyx purgatory backoff limits
    aiobreaker uvloop
A peer that is not installed is left out, and said so.
"""

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import sys
import threading
from collections.abc import Callable
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any

import outbound_peers as peers
from outbound_memory import memory_rows

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, RateLimit, Retry
from mainstay.core.clock import SYSTEM_CLOCK

Guard = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row.

    Attributes:
        name: What is done.
        ours: Guards a function our way.
        peers: Guards it another way, by name.
        target: At most this ratio to ``best``; None: nothing is asked, since no peer does the job.
        best: The peer that the target is about; None: the fastest.
        broken: Whether the dependency fails, and the circuit is open.
    """

    name: str
    ours: Guard
    peers: dict[str, Guard]
    target: float | None
    best: str | None = None
    is_async: bool = True
    broken: bool = False


def everything() -> Policy:
    return Policy(
        deadline=Deadline("5s"), bulkhead=Bulkhead(limit=32), retry=Retry(), breaker=Breaker(),
        attempt_timeout=AttemptTimeout(within="1s"),
    )  # fmt: skip


_SYNC_BREAKERS = {
    "circuitbreaker": peers.circuitbreaker, "pybreaker": peers.pybreaker,
    "pyresilience": peers.pyresilience_breaker, "purgatory": peers.purgatory_sync,
}  # fmt: skip
_ASYNC_BREAKERS = {
    "pyfailsafe": peers.pyfailsafe_breaker, "circuitbreaker": peers.circuitbreaker,
    "aiobreaker": peers.aiobreaker, "hyx": peers.hyx_breaker, "purgatory": peers.purgatory_async,
    "pyresilience": peers.pyresilience_breaker,
}  # fmt: skip

JOBS = (
    Job(name="breaker, closed, sync", ours=Policy(breaker=Breaker()),
        peers=_SYNC_BREAKERS, target=0.4, is_async=False),
    Job(name="breaker, closed, async", ours=Policy(breaker=Breaker()),
        peers=_ASYNC_BREAKERS, target=0.5),
    Job(name="breaker with a window, closed, sync",
        ours=Policy(breaker=Breaker(rate="50% of 20 in 30s")),
        peers=_SYNC_BREAKERS, target=None, is_async=False),
    Job(name="breaker, open, sync", ours=Policy(breaker=Breaker()),
        peers=_SYNC_BREAKERS, target=0.8, is_async=False, broken=True),
    Job(name="breaker, open, async", ours=Policy(breaker=Breaker()),
        peers=_ASYNC_BREAKERS, target=0.8, broken=True),
    Job(name="retry, first try succeeds, sync", ours=Policy(retry=Retry()),
        peers={"pyresilience": peers.pyresilience_retry, "stamina": peers.stamina,
               "tenacity": peers.tenacity, "backoff": peers.backoff},
        target=0.25, best="pyresilience", is_async=False),
    Job(name="retry, first try succeeds, async", ours=Policy(retry=Retry()),
        peers={"pyfailsafe": peers.pyfailsafe_retry, "stamina": peers.stamina,
               "tenacity": peers.tenacity, "backoff": peers.backoff},
        target=0.8, best="pyfailsafe"),
    Job(name="timeout, async", ours=Policy(attempt_timeout=AttemptTimeout(within=5.0)),
        peers={"asyncio.timeout": peers.asyncio_timeout,
               "call_later + cancel": peers.call_later_and_cancel},
        target=0.3, best="asyncio.timeout"),
    Job(name="bulkhead, async", ours=Policy(bulkhead=Bulkhead(limit=32)),
        peers={"asyncio.Semaphore": peers.semaphore, "hyx": peers.hyx_bulkhead}, target=0.6,
        best="asyncio.Semaphore"),
    Job(name="rate limit, sync",
        ours=Policy(rate_limit=RateLimit(rate=1e8, burst=1_000_000)),
        peers={"limits": peers.limits, "by hand": peers.bucket_by_hand}, target=0.2, best="limits",
        is_async=False),
    Job(name="everything, async", ours=everything(),
        peers={"backoff + circuitbreaker": peers.backoff_and_circuitbreaker,
               "stamina + purgatory": peers.stamina_and_purgatory},
        target=0.2),
    Job(name="everything, async, beside the standard library's two",
        ours=everything(),
        peers={"asyncio.timeout + Semaphore": peers.timeout_and_semaphore}, target=1.0),
    Job(name="everything, sync", ours=everything(),
        peers={"pyresilience": peers.pyresilience_everything,
               "tenacity + pybreaker": peers.tenacity_and_pybreaker},
        target=0.25, is_async=False),
)  # fmt: skip


def answer(value: int) -> int:
    return value


async def aanswer(value: int) -> int:
    return value


def fail(value: int) -> int:
    raise peers.Outage(value)


async def afail(value: int) -> int:
    raise peers.Outage(value)


@dataclass
class Contender:
    """One way to do a job, and its best round so far."""

    name: str
    run: Callable[[int], float]
    best_ns: float = field(default=float("inf"))


def own_context(variables: int) -> Context:
    context = Context()
    for nth in range(variables):
        context.run(ContextVar[int](f"bench_{nth}").set, nth)
    return context


def sync_run(call: Any, *, broken: bool, context: Context) -> Callable[[int], float]:
    now = SYSTEM_CLOCK.monotonic_s

    def run(calls: int) -> float:
        times = itertools.repeat(None, calls)
        begun_s = now()
        if broken:
            for _ in times:
                try:  # noqa: SIM105  A context manager would cost as much as the job.
                    call(1)
                except Exception:  # noqa: BLE001, S110  Each peer has errors of its own.
                    pass
        else:
            for _ in times:
                call(1)
        return now() - begun_s

    return lambda calls: context.run(run, calls)


def async_run(
    runner: asyncio.Runner, call: Any, *, broken: bool, context: Context
) -> Callable[[int], float]:
    now = SYSTEM_CLOCK.monotonic_s

    async def many(calls: int) -> float:
        times = itertools.repeat(None, calls)
        begun_s = now()
        if broken:
            for _ in times:
                try:  # noqa: SIM105  A context manager would cost as much as the job.
                    await call(1)
                except Exception:  # noqa: BLE001, S110  Each peer has errors of its own.
                    pass
        else:
            for _ in times:
                await call(1)
        return now() - begun_s

    return lambda calls: runner.run(many(calls), context=context)


def contenders(job: Job, runner: asyncio.Runner, variables: int) -> list[Contender]:
    if job.is_async:
        fn: Any = afail if job.broken else aanswer
    else:
        fn = fail if job.broken else answer
    found = []
    for name, guard in {"mainstay": job.ours, **job.peers}.items():
        with contextlib.suppress(ImportError):
            call, context = guard(fn), own_context(variables)
            run = (
                async_run(runner, call, broken=job.broken, context=context)
                if job.is_async
                else sync_run(call, broken=job.broken, context=context)
            )
            # Opens the circuit where the job is about an open one, and warms up everywhere.
            run(200)
            found.append(Contender(name, run))
    return found


def measure(
    job: Job, runner: asyncio.Runner, *, calls: int, rounds: int, variables: int
) -> dict[str, Any]:
    found = contenders(job, runner, variables)
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for one in found:
                one.best_ns = min(one.best_ns, one.run(calls) / calls * 1e9)
    finally:
        gc.enable()
    ours, others = found[0].best_ns, {one.name: one.best_ns for one in found[1:]}
    named = {job.best: others[job.best]} if job.best in others else others
    best, best_ns = min(named.items(), key=lambda one: one[1], default=(None, None))
    ratio = None if best_ns is None else ours / best_ns
    return {
        "job": job.name,
        "ns": round(ours, 1),
        "peers_ns": {name: round(ns, 1) for name, ns in others.items()},
        "missing": sorted(set(job.peers) - set(others)),
        "against": best,
        "ratio": None if ratio is None else round(ratio, 3),
        "target": job.target,
        "reached": None if ratio is None or job.target is None else ratio <= job.target,
    }


def threads_row(*, calls: int, rounds: int) -> dict[str, Any]:
    call = Policy(breaker=Breaker())(answer)
    run = sync_run(call, broken=False, context=own_context(0))
    single_ns = min(run(calls) for _ in range(rounds)) / calls * 1e9
    best_ns = float("inf")
    for _ in range(rounds):
        barrier = threading.Barrier(9)

        def work(barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            sync_run(call, broken=False, context=own_context(0))(calls // 8)
            barrier.wait()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        barrier.wait()
        begun_s = SYSTEM_CLOCK.monotonic_s()
        barrier.wait()
        best_ns = min(best_ns, (SYSTEM_CLOCK.monotonic_s() - begun_s) / (calls // 8 * 8) * 1e9)
        for thread in threads:
            thread.join()
    ratio = best_ns / single_ns
    return {
        "job": "8 threads on one breaker, beside one thread", "ns": round(best_ns, 1),
        "peers_ns": {"mainstay, one thread": round(single_ns, 1)}, "missing": [],
        "against": "mainstay, one thread", "ratio": round(ratio, 3), "target": 1.3,
        "reached": ratio <= 1.3,
    }  # fmt: skip


def many_policies_row(*, calls: int, rounds: int) -> dict[str, Any]:
    policies = [everything() for _ in range(10_000)]
    guarded = [policy(answer) for policy in policies]
    now = SYSTEM_CLOCK.monotonic_s

    def over(some: list[Any]) -> float:
        for call in some:
            call(1)
        begun_s = now()
        for call in itertools.islice(itertools.cycle(some), calls):
            call(1)
        return (now() - begun_s) / calls * 1e9

    one_ns = many_ns = hot_ns = float("inf")
    for _ in range(rounds):
        one_ns = min(one_ns, over(guarded[:1]))
        many_ns = min(many_ns, over(guarded))
        # The same one among the 10,000 that exist: what the code does, without cache misses.
        hot_ns = min(hot_ns, over(guarded[5000:5001]))
    return {
        "job": "10,000 policies exist, one of them is used, beside one", "ns": round(hot_ns, 1),
        "peers_ns": {"single": round(one_ns, 1), "all 10,000 in turn": round(many_ns, 1)},
        "missing": [], "against": "single", "ratio": round(hot_ns / one_ns, 3), "target": 1.1,
        "reached": hot_ns / one_ns <= 1.1,
    }  # fmt: skip


def shown(row: dict[str, Any]) -> str:
    mark = {True: "ok  ", False: "MISS", None: "    "}[row["reached"]]
    if "value" in row:
        target = "" if row["target"] is None else f" (target < {row['target']})"
        return f"{mark} {row['job']}: {row['value']}{target}"
    others = ", ".join(f"{name} {ns:,.0f}" for name, ns in row["peers_ns"].items())
    missing = f"; not installed: {', '.join(row['missing'])}" if row["missing"] else ""
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f} of {row['against']}"
    target = "" if row["target"] is None else f" (target {row['target']:.2f})"
    return f"{mark} {row['job']}: {row['ns']:,.0f} ns, {ratio}{target}\n       {others}{missing}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000, help="in each round")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--only", default="", help="rows whose name has this in it")
    parser.add_argument("--variables", type=int, default=0, help="other context variables")
    parser.add_argument("--uvloop", action="store_true", help="run asynchronous rows on uvloop")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    factory = None
    if wanted.uvloop:
        import uvloop

        factory = uvloop.new_event_loop
    rows = []
    with asyncio.Runner(loop_factory=factory) as runner:
        for job in JOBS:
            if wanted.only in job.name:
                rows.append(
                    measure(job, runner, calls=wanted.calls, rounds=wanted.rounds,
                            variables=wanted.variables)
                )  # fmt: skip
                if not wanted.json:
                    sys.stdout.write(shown(rows[-1]) + "\n")
                    sys.stdout.flush()
    more: list[Callable[[], list[dict[str, Any]]]] = [
        lambda: [threads_row(calls=wanted.calls * 4, rounds=wanted.rounds)],
        lambda: [many_policies_row(calls=10_000, rounds=15)],
        lambda: memory_rows(everything),
    ]
    for make in more if not wanted.only else []:
        for row in make():
            rows.append(row)
            if not wanted.json:
                sys.stdout.write(shown(row) + "\n")
    if wanted.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
