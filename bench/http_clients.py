"""What a policy costs in HTTP clients: ``python bench/http_clients.py [--calls 200] [--json]``.

A server of a few lines on loopback, in a process of its own. The bare client and the client with a
policy (bulkhead, retry, breaker, deadline) take turns in each round; the median counts, as µs a
request, and as a ratio within the same run. One caller, so that latency is measured and not the
server. Bare clients keep their own defaults, but for proxies of the environment.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable

import aiohttp
import httpx
import requests

from mainstay import Breaker, Bulkhead, Deadline, Policy, Retry
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.outbound.adapters.http_clients import Http

ROUNDS = 15

SERVER = """
import asyncio
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""

Job = Callable[[int], None]


def policy() -> Policy:
    return Policy(
        name="catalog",
        bulkhead=Bulkhead(limit=32),
        retry=Retry(),
        breaker=Breaker(),
        deadline=Deadline("5s"),
    )


def gets(client: httpx.Client | requests.Session, url: str) -> Job:
    def run(calls: int) -> None:
        for _ in range(calls):
            client.get(url)

    return run


def agets(runner: asyncio.Runner, client: httpx.AsyncClient, url: str) -> Job:
    async def work(calls: int) -> None:
        for _ in range(calls):
            await client.get(url)

    return lambda calls: runner.run(work(calls))


def reads(runner: asyncio.Runner, session: aiohttp.ClientSession, url: str) -> Job:
    async def work(calls: int) -> None:
        for _ in range(calls):
            async with session.get(url) as answer:
                await answer.read()

    return lambda calls: runner.run(work(calls))


def measure(pairs: dict[str, tuple[Job, Job]], calls: int) -> dict[str, tuple[float, float]]:
    """Return the µs a request, bare and with a policy."""
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in pairs}
    for _ in range(ROUNDS):
        for name, pair in pairs.items():
            for job, times in zip(pair, took[name], strict=True):
                began_s = SYSTEM_CLOCK.monotonic_s()
                job(calls)
                times.append((SYSTEM_CLOCK.monotonic_s() - began_s) / calls * 1e6)
    return {
        name: (statistics.median(bare), statistics.median(held))
        for name, (bare, held) in took.items()
    }


def run(url: str, calls: int) -> dict[str, tuple[float, float]]:
    with asyncio.Runner() as runner:

        async def sessions() -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
            return aiohttp.ClientSession(), policy().aiohttp_session(Http())

        bare, held = runner.run(sessions())
        session = requests.Session()
        session.trust_env = False
        clients = (httpx.AsyncClient(trust_env=False), policy().http_client())
        threads = (httpx.Client(trust_env=False), policy().sync_http_client())
        kept = policy().requests_session()
        pairs = {
            "httpx, async": (agets(runner, clients[0], url), agets(runner, clients[1], url)),
            "httpx, sync": (gets(threads[0], url), gets(threads[1], url)),
            "requests": (gets(session, url), gets(kept, url)),
            "aiohttp": (reads(runner, bare, url), reads(runner, held, url)),
        }
        found = measure(pairs, calls)

        async def close() -> None:
            for one in (*clients,):
                await one.aclose()
            await bare.close()
            await held.close()

        runner.run(close())
        for one in (*threads, session, kept):
            one.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        url = f"http://127.0.0.1:{one.stdout.readline().strip()}/"
        try:
            found = run(url, arguments.calls)
        finally:
            one.terminate()
    if arguments.json:
        rows = {name: {"bare_us": bare, "policy_us": held} for name, (bare, held) in found.items()}
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    sys.stdout.write(f"{'µs a request':16}{'bare':>9}{'policy':>9}{'more':>9}{'ratio':>8}\n")
    for name, (bare, held) in found.items():
        more = held - bare
        sys.stdout.write(f"{name:16}{bare:9.0f}{held:9.0f}{more:9.0f}{held / bare:8.2f}\n")


if __name__ == "__main__":
    main()
