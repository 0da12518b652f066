"""``inbound.rate_limit``: its short forms, and what only all limits together can be wrong in."""

from collections.abc import Callable

import pytest

from mainstay.spec.dump import dump
from mainstay.spec.faults import Fault
from mainstay.spec.kinds.kinds import Mismatch
from mainstay.spec.kinds.quantities import quota
from mainstay.spec.kinds.units import Quota
from mainstay.spec.load import Loaded
from mainstay.spec.ratelimit import RateLimit
from mainstay.spec.routes import ROUTE

Load = Callable[..., Loaded]
Complain = Callable[..., list[Fault]]

HEAD = "service: shop\napp: shop:app\n"
CACHE = "dependencies: {cache: {url: valkey://h, timeout: 1s}, db: {url: postgresql://h, timeout: 1s}}\n"  # noqa: E501  One line, as lines are counted.


def limits(loaded: Loaded) -> tuple[RateLimit, ...]:
    found = loaded.system.members[0].declaration.inbound.rate_limit
    assert found is not None
    return found


@pytest.mark.parametrize(
    "text",
    ["100/s", "{rate: 100/s}", "[100/s]", "[{rate: 100/s}]", "\n    - rate: 100/s"],
)
def test_one_limit_may_be_written_as_one(load: Load, text: str) -> None:
    loaded = load(f"{HEAD}inbound:\n  rate_limit: {text}\n")
    assert limits(loaded) == (RateLimit(rate=Quota(count=100, per_s=1)),)
    assert dump(loaded.system.members[0].declaration) == (
        f"{HEAD}inbound:\n  rate_limit:\n    rate: 100/s\n"
    )


@pytest.mark.parametrize("text", ["off", "~", "", "[]"])
def test_no_limit(load: Load, text: str) -> None:
    loaded = load(f"{HEAD}inbound:\n  rate_limit: {text}\n")
    assert not loaded.system.members[0].declaration.inbound.rate_limit


def test_several_limits_and_where_each_value_came_from(load: Load) -> None:
    loaded = load(
        f"{HEAD}{CACHE}"
        """\
inbound:
  rate_limit:
    - 100/s
    - name: login
      rate: 5/min
      for: /login
      methods: POST
      store: cache
      costs: {/login/sms: 5}
"""
    )
    first, second = limits(loaded)
    assert first == RateLimit(rate=Quota(count=100, per_s=1))
    assert second.routes == ("/login",)
    assert second.methods == ("POST",)
    assert second.costs == (("/login/sms", 5),)
    assert (first.burst_calls, second.burst_calls) == (100, 5)
    place = loaded.source("shop", "inbound.rate_limit[1].rate").place
    assert place is not None
    assert place.line == 8
    assert loaded.source("shop", "inbound.rate_limit[1].burst").is_default


def test_a_lone_limit_is_told_without_a_number(load: Load, complain: Complain) -> None:
    loaded = load(f"{HEAD}inbound:\n  rate_limit:\n    rate: 100/s\n")
    place = loaded.source("shop", "inbound.rate_limit.rate").place
    assert place is not None
    assert place.line == 5
    [fault] = complain(f"{HEAD}inbound:\n  rate_limit: 100\n")
    assert (fault.line, fault.path) == (4, "inbound.rate_limit")
    assert "a number in a time such as 100/s, or off" in fault.sentence


def test_an_overlay_changes_one_key_of_a_lone_limit_and_replaces_a_list(load: Load) -> None:
    def overlaid(base: str, over: str) -> tuple[RateLimit, ...]:
        files = {
            "mainstay.yaml": f"{HEAD}inbound: {{rate_limit: {base}}}\n",
            "mainstay.prod.yaml": f"inbound: {{rate_limit: {over}}}\n",
        }
        return limits(load(files, env="prod"))

    second = Quota(count=100, per_s=1)
    assert overlaid("100/s", "{burst: 5}") == (RateLimit(rate=second, burst=5),)
    assert overlaid("{rate: 9/d, burst: 5}", "100/s") == (RateLimit(rate=second, burst=5),)
    assert overlaid("{rate: 9/d, burst: 5}", "[100/s]") == (RateLimit(rate=second),)
    assert overlaid("[9/d]", "100/s") == (RateLimit(rate=second),)


@pytest.mark.parametrize(
    ("text", "path", "line", "words"),
    [
        ("[1/s, 2/s]", "inbound.rate_limit[1].name", 5, "a second limit named default"),
        ("{rate: 1/s, by: route}", "inbound.rate_limit.by", 5, "`by: route` needs the paths"),
        ("{rate: 5/s, cost: 6}", "inbound.rate_limit.cost", 5, "it costs 6, and the burst is 5"),
        ("{rate: 5/s, burst: 1, costs: {/a: 2}}", "inbound.rate_limit.costs./a", 5, "burst is 1"),
        ("{rate: 5/s, store: cach}", "inbound.rate_limit.store", 5, "did you mean cache?"),
        ("{rate: 5/s, store: zzz}", "inbound.rate_limit.store", 5, "unknown dependency zzz"),
        ("{rate: 5/s, store: db}", "inbound.rate_limit.store", 5, "db can't be the store"),
        ("{rate: 5/s, by: ip}", "inbound.rate_limit.by", 5, "expected client_ip, header:NAME"),
        ("{rate: 5/s, for: login}", "inbound.rate_limit.for", 5, "a path such as /login"),
        ("{rate: 0/s}", "inbound.rate_limit.rate", 5, "a number in a time"),
    ],
)
def test_faults_stand_where_they_are(
    complain: Complain, text: str, path: str, line: int, words: str
) -> None:
    [fault] = complain(f"{HEAD}{CACHE}inbound:\n  rate_limit: {text}\n")
    assert (fault.path, fault.line) == (path, line)
    assert words in fault.sentence


def test_two_stores_are_one_too_many(complain: Complain) -> None:
    both = "{a: {url: valkey://h, timeout: 1s}, b: {url: redis://h, timeout: 1s}}"
    [fault] = complain(
        f"{HEAD}dependencies: {both}\ninbound:\n  rate_limit:\n"
        "  - {rate: 1/s, store: a}\n  - {rate: 1/s, name: b, store: b}\n"
    )
    assert (fault.path, fault.line) == ("inbound.rate_limit[1].store", 7)
    assert "need the same one" in fault.sentence


def test_a_store_that_is_wrong_itself_is_told_once(complain: Complain) -> None:
    [fault] = complain(
        f"{HEAD}dependencies: {{cache: {{url: 7, timeout: 1s}}}}\n"
        "inbound: {rate_limit: {rate: 1/s, store: cache}}\n"
    )
    assert fault.path == "dependencies.cache.url"


def test_beside_one_that_is_broken_the_others_are_told_where_they_are(complain: Complain) -> None:
    text = "[{rate: 5/s, cost: 6}, {rate: 5}, {rate: 5/s, name: c, cost: 7}]"
    faults = complain(f"{HEAD}inbound:\n  rate_limit: {text}\n")
    assert [fault.path for fault in faults] == [
        "inbound.rate_limit[0].cost", "inbound.rate_limit[1].rate", "inbound.rate_limit[2].cost",
    ]  # fmt: skip
    text = "[{rate: 5/s, by: usr}, {rate: 5/s, name: c, cost: 7}]"
    faults = complain(f"{HEAD}inbound:\n  rate_limit: {text}\n")
    assert [fault.path for fault in faults] == [
        "inbound.rate_limit[0].by", "inbound.rate_limit[1].cost",
    ]  # fmt: skip


def test_a_wrong_key_hides_nothing_that_does_not_follow_from_it(complain: Complain) -> None:
    text = """[
    {rate: 5/s, name: a, stoore: x, cost: 6},
    {rate: 5/s, name: b, odd: 1, store: none},
    {rate: nope, name: c, cost: 9},
    {rate: 5/s, name: b, burst: nope, cost: 6},
    {rate: 5/s, name: NO}, {rate: 5/s, name: b, store: none}]"""
    faults = complain(f"{HEAD}inbound:\n  rate_limit: {text}\n")
    assert [fault.path.removeprefix("inbound.rate_limit") for fault in faults] == [
        "[0].stoore", "[0].cost", "[1].odd", "[1].store", "[2].rate", "[3].name", "[3].burst",
        "[4].name", "[5].name", "[5].store",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["1000000/d", "1/s", "5 / min", "5/m"])
def test_a_quota_keeps_its_time(text: str) -> None:
    kind = quota()
    value = kind.read(text)
    assert kind.read(kind.write(value)) == value


@pytest.mark.parametrize("text", ["0/s", "1000001/s", "1.5/s", "5/w", "5", "/s", "-1/s", "5/s/s"])
def test_what_is_no_quota(text: str) -> None:
    with pytest.raises(Mismatch):
        quota().read(text)


@pytest.mark.parametrize("text", ["/", "/a/b", "/a/*/c", "/*.csv", "/a*b/c*d"])
def test_paths(text: str) -> None:
    assert ROUTE.read(text) == text


@pytest.mark.parametrize("text", ["", "a", "/a**", "/a*b*c", "/a?b", "/a b", "*", "/" + "a" * 200])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(Mismatch):
        ROUTE.read(text)
