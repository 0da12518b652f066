"""Two processes that share a circuit through a real Valkey, which is killed and started again."""

from collections.abc import Iterator, Sequence

import pytest
from tests.contract.stores.servers import PartNotFound, Valkey, until
from tests.system.breaker_peer import BY_HAND, Peer, close_both, opened_after_s

from mainstay.core.clock import SYSTEM_CLOCK, SystemClock
from mainstay.core.errors import StoreUnavailable
from mainstay.state.breakers import SharedBreakers
from mainstay.state.valkey import Reply, Script, Word
from mainstay.state.valkey import Valkey as Store

pytestmark = pytest.mark.system


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
def peers(server: Valkey) -> Iterator[tuple[Peer, Peer]]:
    pair = Peer(BY_HAND, server.url), Peer(BY_HAND, server.url)
    yield pair
    for one in pair:
        one.kill()


def test_what_one_finds_out_the_other_need_not(server: Valkey, peers: tuple[Peer, Peer]) -> None:
    one, other = peers
    took_s = []
    for _ in range(5):
        took_s.append(opened_after_s(one, other))
        close_both(one, other)
    # A tenth of a second by design; the best of five tells that from a busy machine.
    assert min(took_s) < 0.15

    server.kill()
    other.order("fail")
    until(lambda: other.state == "open")
    # On its own: nobody told it, and it does not fail itself.
    assert one.state == "closed"

    server.start()
    # What was found out meanwhile is told as soon as there is somebody to tell.
    until(lambda: one.state == "open")
    assert other.state == "open"
    # A store that is away holds up no call.
    assert max(one.end(), other.end()) < 1.0


class Away(Store):
    """A client whose server can't be reached for as long as a test says."""

    away = True

    def run_script(self, script: Script, keys: Sequence[str | bytes], *words: Word) -> Reply:
        if self.away:
            raise StoreUnavailable("away", begun=False)
        return super().run_script(script, keys, *words)


@pytest.fixture
def stores(server: Valkey) -> Iterator[tuple[Away, Store]]:
    pair = Away(server.url, timeout_s=30.0), Store(server.url, timeout_s=30.0)
    yield pair
    for one in pair:
        one.close()


class Shifted(SystemClock):
    """A clock that a test may set forward, and so let words wait."""

    def __init__(self) -> None:
        self.by_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.by_s


@pytest.fixture
def clock() -> Shifted:
    """That of the one that is away."""
    return Shifted()


@pytest.fixture
def sharing(
    stores: tuple[Away, Store], clock: Shifted
) -> Iterator[tuple[SharedBreakers, SharedBreakers]]:
    """One that is away, and one that is not."""
    one, other = SharedBreakers(stores[0], clock=clock), SharedBreakers(stores[1])
    yield one, other
    one.close()
    other.close()


def is_open(breakers: SharedBreakers) -> bool:
    told = breakers.of("payments").read()
    return told is not None and told.open_until_s is not None


def test_a_word_of_before_does_not_overwrite_a_younger_one(
    stores: tuple[Away, Store], sharing: tuple[SharedBreakers, SharedBreakers], clock: Shifted
) -> None:
    """Whoever reconnects last had the last word, and closed what others had found out to fail."""
    one, other = sharing
    one.of("payments").write(None)
    # Longer than words are on their way, within which nobody knows which one is younger.
    clock.by_s = 60.0
    other.of("payments").write(SYSTEM_CLOCK.monotonic_s() + 3600)
    watcher = SharedBreakers(stores[1])
    until(lambda: is_open(watcher))
    stores[0].away = False
    until(lambda: is_open(one))
    assert one._pending == {}
    told = [each.of("payments").read() for each in (one, other)]
    assert len({word.serial for word in told if word is not None}) == 1
    one.of("payments").write(None)
    until(lambda: not is_open(watcher))
    until(lambda: not is_open(other))
    watcher.close()


def test_a_word_from_a_time_that_the_server_never_had_is_overwritten(
    stores: tuple[Away, Store], sharing: tuple[SharedBreakers, SharedBreakers]
) -> None:
    """Its clock was set back, and circuits must not stay as they are until it catches up."""
    for kept in (b"o" + bytes(8) + b"99999999999999999", b"o" + bytes(8), b"what is that"):
        stores[1].call("SET", sharing[1]._key("payments"), kept, "PX", 3_600_000)
        told = sharing[1].of("payments").write(None)
        until(lambda: not sharing[1]._pending)
        value = stores[1].call("GET", sharing[1]._key("payments"))
        assert isinstance(value, bytes)
        assert value[:9] == b"c" + told.serial.to_bytes(8, "big")
