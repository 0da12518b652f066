"""The examples of the guides run as they stand, against real servers in the place of theirs."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.contract.stores.servers import Grpc, Postgres, Valkey

from mainstay import Service
from mainstay.core.errors import DeadlineExceeded
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency, Timeouts

GUIDES = Path(__file__).parents[3] / "docs" / "guides"


def run(guide: str, theirs: str, ours: str) -> dict[str, Any]:
    """Run a guide's examples as one module, with the address of a real server."""
    source = (GUIDES / guide).read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", source, re.DOTALL))
    assert theirs in code
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code.replace(theirs, ours), guide, "exec"), names)  # noqa: S102  Our own document.
    return names


def declared(name: str, url: str) -> Service:
    """Return a service that declares one dependency, with timeouts of its own."""
    dependency = Dependency(url=url, timeout=Timeouts(read_s=4.0, total_s=9.0))
    declaration = Declaration(service="shop", app="shop:app", dependencies=((name, dependency),))
    return Service(declaration, environ={})


def test_databases(postgres: Postgres) -> None:
    names = run("databases.md", "postgresql://shop@127.0.0.1:5432/shop", postgres.url)
    engine = names["engine"]
    with engine.begin() as connection:
        for table in ("products", "stock", "sales"):
            connection.execute(text(f"drop table if exists {table}"))
        connection.execute(text("create table products (name text)"))
        connection.execute(text("insert into products values ('pear'), ('apple')"))
        connection.execute(text("create table stock (left_over integer)"))
        connection.execute(text("insert into stock values (5)"))
        connection.execute(text("create table sales (at timestamptz)"))
    assert names["names"]() == ["apple", "pear"]
    assert names["sell_one"]() == 4
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from sales")) == 1
    engine.dispose()

    async def in_a_loop() -> None:
        engine = names["orders_async_engine"](declared("orders", postgres.url))
        assert await names["names_async"](engine) == ["apple", "pear"]
        assert await names["sell_one_async"](engine) == 3
        await engine.dispose()

    asyncio.run(in_a_loop())
    engine = names["orders_engine"](declared("orders", postgres.url))
    with engine.connect() as connection:
        assert connection.scalar(text("select count(*) from sales")) == 2
        assert connection.scalar(text("show statement_timeout")) == "4s"
    engine.dispose()


def test_a_thread_of_a_task_has_its_deadline(postgres: Postgres) -> None:
    """What the guide says about `asyncio.to_thread`."""
    from mainstay import deadline

    names = run("databases.md", "postgresql://shop@127.0.0.1:5432/shop", postgres.url)
    engine = names["engine"]

    def slow() -> None:
        with engine.connect() as connection:
            connection.execute(text("select pg_sleep(30)"))

    async def within() -> None:
        with deadline(0.2):
            await asyncio.to_thread(slow)

    with pytest.raises(DeadlineExceeded):
        asyncio.run(within())
    engine.dispose()


def test_valkey(valkey: Valkey) -> None:
    names = run("valkey.md", "redis://127.0.0.1:6379/0", valkey.url)
    client = names["client"]
    client.flushall()
    assert (names["visits"]("home"), names["visits"]("home")) == (1, 2)
    client.rpush("jobs", "first")
    assert asyncio.run(names["next_job"]()) == "first"
    assert asyncio.run(names["next_job"]()) is None
    with names["cache_client"](declared("cache", valkey.url)) as found:
        assert found.get("visits:home") == "2"
    valkey.kill()
    assert names["optional"].get("anything") is None
    client.close()
    names["optional"].close()


def test_grpc(rpc: Grpc) -> None:
    names = run("grpc.md", "127.0.0.1:50051", rpc.target)
    assert names["look_up"](b"hello") == b"hello"
    assert asyncio.run(names["parts"](b"2,")) == [b"0", b"1"]
    careful = names["careful"].unary_unary("/shop.Test/Echo")
    assert careful(b"hello") == b"hello"
    names["payments"].breaker.force_open()
    assert (careful(b"hello"), careful(b"you")) == (b"hello", b"no answer to you")
    names["channel"].close()
    names["careful"].close()
    url = f"grpc://{rpc.target}"
    with names["payments_channel"](declared("payments", url)) as channel:
        assert channel.unary_unary("/shop.Test/Echo")(b"declared") == b"declared"
