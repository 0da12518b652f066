"""Two processes of one declared service, whose breaker is shared: on their host, or in Valkey."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.stores.servers import PartNotFound, Valkey, until
from tests.system.breaker_peer import DECLARED, Peer, close_both, opened_after_s

from mainstay.service.outbound.breaker.sharing import host_file

pytestmark = pytest.mark.system

YAML = """\
service: shop
command: never started
dependencies:
  cache: {{url: "{url}", timeout: 1s}}
  payments:
    url: http://127.0.0.1:1
    timeout: 1s
    breaker: {{failures: 3, open: 60s, successes: 1, share: {share}}}
"""
BOUND_S = 0.15
"""A tenth of a second by design; the best of five tells that from a busy machine."""

Declare = Callable[[str], None]


@pytest.fixture
def server() -> Iterator[Valkey]:
    try:
        one = Valkey()
        one.start()
    except PartNotFound as error:
        pytest.skip(str(error))
    yield one
    one.close()


@pytest.fixture
def declare(tmp_path: Path, server: Valkey) -> Declare:
    def write(share: str) -> None:
        (tmp_path / "mainstay.yaml").write_text(YAML.format(url=server.url, share=share))

    return write


@pytest.fixture
def peers(tmp_path: Path, declare: Declare) -> Iterator[tuple[Peer, Peer]]:
    """Both begin alone, and are told where their file is by nobody."""
    declare("off")
    environ = {"MAINSTAY_DECLARATION": str(tmp_path / "mainstay.yaml")}
    pair = Peer(DECLARED, environ=environ), Peer(DECLARED, environ=environ)
    yield pair
    for one in pair:
        one.kill()
    host_file("shop.payments", environ).unlink(missing_ok=True)


def take(share: str, declare: Declare, peers: tuple[Peer, Peer]) -> None:
    declare(share)
    for one in peers:
        one.take()


def alone(one: Peer, other: Peer) -> bool:
    """Return whether one opens and the other does not, in three times the bound for it."""
    one.order("fail")
    until(lambda: one.state == "open")
    with pytest.raises(AssertionError):
        until(lambda: other.state == "open", within_s=3 * BOUND_S)
    return other.state == "closed"


@pytest.mark.parametrize("share", ["host", "cache"])
def test_what_one_finds_out_the_other_need_not(
    share: str, declare: Declare, peers: tuple[Peer, Peer], server: Valkey
) -> None:
    one, other = peers
    assert alone(one, other)
    close_both(one, other)

    take(share, declare, peers)
    took_s = []
    for _ in range(5):
        took_s.append(opened_after_s(one, other))
        close_both(one, other)
    assert min(took_s) < BOUND_S

    if share == "cache":
        server.kill()
        assert alone(one, other)
        server.start()
        until(lambda: other.state == "open")
    else:
        opened_after_s(one, other)
    close_both(one, other)

    take("off", declare, peers)
    assert alone(one, other)
