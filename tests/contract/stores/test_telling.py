"""What clients of stores, engines and channels tell of each attempt, where somebody asked."""

import pytest
from tests.contract.stores.conftest import Connect, Make

from mainstay import Policy
from mainstay.service.outbound.events import CallEnded
from mainstay.testing import Recorder


def test_calls_are_told_with_how_they_ended(
    kind: str, connect: Connect, orders: Policy, recorder: Recorder
) -> None:
    driver = connect(orders)
    driver.run(driver.ping)
    assert recorder.count(CallEnded) == 0
    orders.events.calls = True
    driver.run(driver.ping)
    with pytest.raises(driver.answer):
        driver.run(driver.wrong)
    well, wrong = recorder.of(CallEnded)[-2:]
    assert all(one.took_s > 0 for one in (well, wrong))
    assert (well.dependency, well.error) == ("orders", None)
    if "grpc" in kind or "rpc" in kind:
        assert well.system == "grpc"
        assert well.target.startswith("/shop.Test/")
        assert (well.status, wrong.status not in {None, "OK"}) == ("OK", True)
    elif "redis" in kind or "valkey" in kind:
        assert (well.system, well.operation, well.target) == ("redis", "PING", "")
        assert wrong.error is not None
    else:
        assert well.system == "postgresql"
        assert (well.operation, wrong.error is not None) == ("SELECT", True)


def test_statements_are_told_by_their_first_word(
    table: None, make: Make, engine_kind: str, orders: Policy, recorder: Recorder
) -> None:
    database = make(orders)
    orders.events.calls = True
    with database.begin() as connection:
        connection.execute("insert into orders (id, name) values (1, 'secret')")
        connection.execute("/* a comment */ select 1")
    told = recorder.of(CallEnded)
    words = [one.operation for one in told]
    assert words[-3:] == ["INSERT", "OTHER", "COMMIT"]
    assert {one.system for one in told} == {engine_kind.removesuffix("-async")}
    assert "secret" not in str(told)
