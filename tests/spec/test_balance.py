"""What a declaration says about balancing, and what no single key of it can know."""

from pathlib import Path

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.spec.balance import CallBalance
from mainstay.spec.explained import explained
from mainstay.spec.load import load_service


def load(tmp_path: Path, *lines: str) -> CallBalance | None:
    text = "service: shop\napp: shop:app\ndependencies:\n  catalog:\n"
    path = tmp_path / "mainstay.yaml"
    path.write_text(text + "".join(f"    {line}\n" for line in (*lines, "timeout: 2s")), "utf-8")
    system = load_service(path, env=None, environ={}).system
    return dict(system.members[0].declaration.dependencies)["catalog"].balance


def faults(tmp_path: Path, *lines: str) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(tmp_path, *lines)
    return str(caught.value)


def test_a_word_alone_is_the_policy(tmp_path: Path) -> None:
    assert load(tmp_path, "url: http://c", "balance: round_robin") == CallBalance(
        policy="round_robin"
    )
    assert load(tmp_path, "url: http://c", "balance: off") is None
    assert load(tmp_path, "url: http://c") is None


def test_one_endpoint_needs_no_list(tmp_path: Path) -> None:
    found = load(tmp_path, "url: http://c", "balance: {endpoints: '10.0.0.1:80 weight=2'}")
    assert found is not None
    assert found.endpoints == ("10.0.0.1:80 weight=2",)


@pytest.mark.parametrize(
    "wrong",
    ["10.0.0.1", "10.0.0.1:0", "10.0.0.1:65536", "::1:80", "a b:80", "a:80 weight=0", "a/b:80"],
)
def test_what_is_no_endpoint_is_told_with_its_place(tmp_path: Path, wrong: str) -> None:
    told = faults(tmp_path, "url: http://c", f"balance: {{endpoints: ['{wrong}']}}")
    assert "mainstay.yaml:6:" in told
    assert "expected an endpoint such as 10.0.0.1:8080" in told


def test_the_edge_balances_for_services(tmp_path: Path) -> None:
    told = faults(tmp_path, "service: catalog", "balance: two_choices")
    assert "the edge chooses among the replicas of a service" in told
    assert "mainstay.yaml:6:" in told


def test_only_http_is_balanced(tmp_path: Path) -> None:
    told = faults(tmp_path, "url: postgresql://db/shop", "balance: two_choices")
    assert "only calls to http:// and https:// are balanced" in told


@pytest.mark.parametrize("url", ["http://:80", "http://c:99999", "https://c:0", "http:///a"])
def test_a_name_to_look_up_is_needed(tmp_path: Path, url: str) -> None:
    told = faults(tmp_path, f"url: {url}", "balance: two_choices")
    assert "a host, and a port up to 65535 or none, is needed in the URL" in told


def test_an_endpoint_that_is_there_twice_is_told(tmp_path: Path) -> None:
    told = faults(
        tmp_path, "url: http://c", "balance: {endpoints: ['a:80', 'b:80', 'a:80 weight=2']}"
    )
    assert "a:80 is there twice: give it a weight" in told
    assert "b:80 is" not in told


def test_a_share_over_calls_is_none_of_an_endpoint(tmp_path: Path) -> None:
    told = faults(tmp_path, "url: http://c", "balance: {eject: {rate: 50% of 20 in 100 calls}}")
    assert "a share over a time is needed here" in told


def test_what_holds_is_explained_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mainstay.yaml"
    path.write_text(
        "service: shop\napp: shop:app\ndependencies:\n  catalog:\n    url: http://c\n"
        "    timeout: 2s\n    balance: {endpoints: ['a:80', 'b:80'], eject: {time: 3s}}\n",
        "utf-8",
    )
    loaded = load_service(path, env=None, environ={})
    declaration = loaded.system.members[0].declaration
    lines = explained(declaration, "catalog", loaded.sources["shop"], {})
    found = {one.key: (one.value, one.source) for one in lines}
    assert found["balance.policy"] == ("two_choices", "default")
    assert found["balance.endpoints"][0] == "[a:80, b:80]"
    assert "mainstay.yaml:7:" in found["balance.endpoints"][1]
    assert found["balance.eject.time"][0] == "3s"
    assert found["balance.eject.failures"] == ("5", "default")
