"""What a request meets: who passes, what the answer tells, and what listeners hear."""

import pytest
from tests.service.inbound.ratelimit.kit import World, header, limit, request
from tests.service.inbound.ratelimit.structured import strings

from mainstay.service.inbound.ratelimit.events import LimitExceeded

POLICIES, STATE = b"ratelimit-policy", b"ratelimit"


def test_the_burst_passes_and_then_the_rate() -> None:
    world = World(limit("10/s", burst=3))
    assert world.passing(5) == 3
    world.clock.advance(0.1)
    assert world.passing(5) == 1
    world.clock.advance(60)
    assert world.passing(5) == 3


def test_without_a_burst_as_many_pass_at_once_as_the_rate_names() -> None:
    world = World(limit("5/min"))
    assert world.passing(10) == 5
    world.clock.advance(12)
    assert world.passing(10) == 1


def test_each_caller_has_a_bucket_of_its_own() -> None:
    world = World(limit("1/s"))
    assert world.passing(2) == 1
    assert world.passing(2, client="203.0.113.10") == 1


def test_a_request_passes_all_limits_or_is_counted_by_none() -> None:
    world = World(
        limit("2/d"),
        limit("4/d", name="key", by="header:X-Key"),
        limit("100/d", name="all", by="service"),
    )
    key = {b"x-key": b"k"}
    assert world.passing(5, headers=key) == 2
    # The three that were turned away by address took nothing from the key.
    assert world.passing(5, headers=key, client="203.0.113.10") == 2
    assert world.passing(5, headers=key, client="203.0.113.11") == 0
    assert world.passing(99, client="203.0.113.12", headers={b"x-key": b"l"}) == 2
    world = World(limit("2/d"), limit("4/d", name="all", by="service"))
    assert [world.passing(3, client=f"203.0.113.{one}") for one in range(4)] == [2, 2, 0, 0]


def test_a_limit_is_for_its_paths_and_methods() -> None:
    world = World(limit("1/d", routes=("/login",), methods=("POST", "GET")))
    assert world.passing(3, path="/other") == 3
    assert world.passing(3, path="/login", method="PUT") == 3
    assert world.passing(3, path="/login/x", method="post") == 1
    assert world.passing(3, path="/login", method="HEAD") == 0
    assert header(request("/other"), STATE) is None


def test_each_path_has_a_bucket_where_routes_are_counted() -> None:
    world = World(limit("2/d", by="route", routes=("/a/*", "/b")))
    assert world.passing(3, path="/a/1") == 2
    assert world.passing(3, path="/a/2", client="203.0.113.10") == 0
    assert world.passing(3, path="/b") == 2


def test_some_requests_cost_more() -> None:
    world = World(limit("10/d", costs=(("/export", 4), ("/", 2))))
    assert world.passing(9, path="/export") == 2
    assert world.passing(9) == 1
    world = World(limit("10/d", cost=3))
    assert world.passing(9) == 3


def test_user_and_tenant_are_told_by_functions() -> None:
    keys = {"user": lambda one: (one.get(b"who") or b"").decode() or None}
    world = World(limit("1/d", by="user"), limit("9/d", by="tenant", name="t"), keys=keys)
    assert world.limits.unregistered() == (("t", "tenant"),)
    assert world.passing(2, headers={b"who": b"ann"}) == 1
    assert world.passing(2, headers={b"who": b"bob"}) == 1
    keys["tenant"] = lambda _: "acme"
    assert world.limits.unregistered() == ()


@pytest.mark.parametrize(
    ("rate", "burst", "quota", "window_s"),
    [
        ("100/s", None, 100, 1), ("100/s", 200, 200, 2), ("5/min", None, 5, 60),
        ("1000/h", 50, 50, 180), ("100/s", 1, 100, 1), ("90/min", 1, 1, 1), ("1/d", None, 1, 86400),
        ("100/s", 150, 150, 2), ("1000000/s", 1, 1_000_000, 1), ("7/min", 1, 1, 9),
    ],
)  # fmt: skip
def test_the_policy_is_told_and_never_better_than_it_is(
    rate: str, burst: int | None, quota: int, window_s: int
) -> None:
    declared = limit(rate, burst=burst, headers="always")
    exchange = request()
    assert World(declared).passes(exchange)
    policy = header(exchange, POLICIES)
    assert policy is not None
    assert strings(policy) == [("default", {"q": quota, "w": window_s})]
    assert quota / window_s <= declared.rate.count / declared.rate.per_s


def test_what_is_left_counts_down_and_may_be_told_with_each_answer() -> None:
    world = World(limit("1/s", burst=3, headers="always"))
    told = []
    for _ in range(4):
        exchange = request()
        exchange.note(b"x-before", b"stays")
        world.passes(exchange)
        assert header(exchange, b"x-before") == b"stays"
        state = header(exchange, STATE)
        assert state is not None
        told += strings(state)
    assert told == [
        ("default", {"r": left, "t": t}) for left, t in ((2, 1), (1, 2), (0, 3), (0, 1))
    ]


def test_told_is_the_limit_of_which_the_least_is_left() -> None:
    world = World(limit("5/s", headers="always"), limit("6/h", name="hour", headers="always"))
    told = []
    for _ in range(6):
        exchange = request()
        assert world.passes(exchange)
        assert header(exchange, POLICIES) == b'"default";q=5;w=1, "hour";q=6;w=3600'
        state = header(exchange, STATE)
        assert state is not None
        told += strings(state)
        world.clock.advance(0.1)
    assert [name for name, _ in told] == ["default"] * 4 + ["hour"] * 2
    assert [one["r"] for _, one in told] == [4, 3, 3, 2, 1, 0]


@pytest.mark.parametrize("route", ["", "/api"])
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("burst", [1, 2, 3, 7, 100])
def test_what_is_left_is_told_as_soon_as_it_is_half(
    burst: int, route: str, *, stored: bool
) -> None:
    """Whoever has more has no reason to slow down, and needs no headers."""
    routes = (route,) if route else ()
    option = limit("1/h", burst=burst, routes=routes, store="cache" if stored else None)
    world = World(option, stored=stored)
    for left in reversed(range(burst)):
        exchange = request("/api")
        assert world.passes(exchange)
        state = header(exchange, STATE)
        if 2 * left > burst:
            assert exchange.noted is None
        else:
            assert state is not None
            assert strings(state)[0][1]["r"] == left
            assert header(exchange, POLICIES) is not None
    refused = request("/api")
    assert not world.passes(refused)
    assert header(refused, STATE) is not None


def test_of_several_limits_those_are_told_of_which_half_is_spent() -> None:
    """The other has fewer calls left, but all of those that it ever had."""
    world = World(limit("4/s"), limit("9/h", name="hour"))
    told = []
    for _ in range(7):
        exchange = request()
        assert world.passes(exchange)
        state = header(exchange, STATE)
        told.append(None if state is None else strings(state)[0][0])
        world.clock.advance(1)
    assert told == [None] * 4 + ["hour"] * 3


def test_a_share_of_a_limit_is_told_from_its_own_half() -> None:
    world = World(limit("1/h", burst=8, store="cache"), stored=True, share=0.5)
    world.store.away = True
    told = []
    for _ in range(4):
        exchange = request()
        assert world.passes(exchange)
        told.append(exchange.noted is not None)
    assert told == [False, True, True, True]


def test_a_limit_may_be_kept_from_answers() -> None:
    world = World(
        limit("2/d", headers=None, by="service"), limit("9/d", name="b", headers="always")
    )
    exchange = request()
    assert world.passes(exchange)
    assert header(exchange, POLICIES) == b'"b";q=9;w=86400'
    assert header(exchange, STATE) == b'"b";r=8;t=9600'
    for one in (
        World(limit("2/d", headers=None)),
        World(limit("2/d", headers=None, routes=("/",))),
    ):
        exchange = request()
        assert one.passes(exchange)
        assert exchange.noted is None


@pytest.mark.parametrize("count", [1, 2])
def test_who_comes_too_often_is_told_when_to_come_back(count: int) -> None:
    world = World(*[limit("5/min", name=f"n{one}", burst=1) for one in range(count)])
    assert world.passes(request())
    exchange = request()
    refusal = world.limits.ask(exchange, world.clock.monotonic_s() + 0.5)
    assert refusal is not None
    assert (refusal.status, refusal.kind) == (429, "rate-limited")
    assert refusal.headers == ((b"retry-after", b"12"),)
    state = header(exchange, STATE)
    assert state is not None
    assert strings(state) == [("n0", {"r": 0, "t": 12})]
    # As told, and not a moment later.
    world.clock.advance(12)
    assert world.passes(request())


def test_of_several_the_longest_wait_is_told() -> None:
    world = World(limit("1/s"), limit("1/min", name="minute"))
    assert world.passes(request())
    refusal = world.limits.ask(request(), world.clock.monotonic_s())
    assert refusal is not None
    assert refusal.headers == ((b"retry-after", b"60"),)
    assert "60 s" in refusal.detail


def test_listeners_hear_of_each_refusal_and_not_of_who_it_was() -> None:
    world = World(limit("1/min", by="header:X-Key"))
    assert world.passing(3, headers={b"x-key": b"hunter2"}) == 1
    first, second = world.heard
    assert first == second
    assert first == LimitExceeded(
        at_s=world.clock.wall_s(), service="shop", limit="default", by="header:X-Key",
        retry_after_s=60.0,
    )  # fmt: skip


def test_what_the_declaration_would_refuse_is_refused() -> None:
    with pytest.raises(ValueError, match="costs 3 of 2"):
        World(limit("2/s", cost=3))
    with pytest.raises(ValueError, match="limit's name"):
        World(limit("2/s", name='a"; r=5'))
    with pytest.raises(ValueError, match="client_ip, header:NAME"):
        World(limit("2/s", by="usr"))
    for routes in ({"routes": ("/a**",)}, {"costs": (("/a**", 2),)}):
        with pytest.raises(ValueError, match="a path such as"):
            World(limit("2/s", **routes))


def test_no_limits_are_no_limits() -> None:
    world = World()
    assert world.passing(1000) == 1000
    assert not world.limits.waits
