"""Processes that share, each an object of its own here; real ones are in tests/system."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.forking import fork

from mainstay.telemetry.metrics.exposition.endpoint import FiguresUnavailable
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.sharing.folder import Folder
from mainstay.telemetry.metrics.sharing.kin import FOLDER_VARIABLE
from mainstay.telemetry.metrics.sharing.sharing import TELL_EVERY_S, Sharing, pause_s, sharing_of
from mainstay.telemetry.metrics.table import counter
from mainstay.testing import VirtualClock


class Worker:
    """One process of a replica; its thread is ended before it tells anything by itself."""

    def __init__(self, folder: Path, complaints: list[str], *, shared: bool = True) -> None:
        self.registry = Registry()
        self.orders = self.registry.counter("orders", "x")
        self.sharing = Sharing(
            self.registry, folder, shared=shared, clock=VirtualClock(),
            complain=complaints.append,
        )  # fmt: skip
        self.sharing._ended.set()

    def asked(self) -> float:
        """What it answers to who asks for all orders."""
        counted = {family.name: series for family, series in self.sharing.collect().items()}
        return counted["orders"][()][0]


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def make(tmp_path: Path, complaints: list[str]) -> Callable[..., Worker]:
    def worker(**named: bool) -> Worker:
        return Worker(tmp_path / "replica", complaints, **named)

    return worker


def test_one_that_is_alone_keeps_all_in_memory(make: Callable[..., Worker], tmp_path: Path) -> None:
    worker = make(shared=False)
    worker.orders.inc(3)
    assert worker.asked() == 3
    worker.sharing.close()
    assert list(tmp_path.iterdir()) == []


def test_workers_answer_for_each_other(make: Callable[..., Worker]) -> None:
    one, another = make(), make()
    one.orders.inc(3)
    another.orders.inc(5)
    another.sharing.tell()
    assert one.asked() == 8
    assert another.asked() == 8


def test_what_one_has_told_stays_when_it_ends(make: Callable[..., Worker]) -> None:
    one, another = make(), make()
    another.orders.inc(5)
    another.sharing.close()
    one.orders.inc(3)
    assert one.asked() == 8
    assert another.asked() == 8, "one that has closed may still be asked"
    another.orders.inc(2)
    another.sharing.close()
    assert one.asked() == 10, "and may still count"


def test_a_parent_shares_once_it_has_a_child(make: Callable[..., Worker]) -> None:
    parent = make(shared=False)
    parent.orders.inc(3)
    parent.sharing.forked()
    child = make()
    child.orders.inc(5)
    child.sharing.tell()
    assert parent.asked() == 8


def test_a_parent_finds_children_that_nobody_forked(make: Callable[..., Worker]) -> None:
    """Of those that were spawned nothing tells it but what they left in its folder."""
    parent = make(shared=False)
    parent.orders.inc(3)
    assert parent.asked() == 3
    child = make()
    child.orders.inc(5)
    child.sharing.close()
    assert parent.asked() == 8
    parent.orders.inc(1)
    assert parent.asked() == 9


def test_a_real_child_begins_with_nothing_and_adds_to_its_parent(
    make: Callable[..., Worker],
) -> None:
    parent = make(shared=False)
    parent.orders.inc(3)
    child = fork()
    if not child:
        # What happens here is seen by the parent through its figures alone.
        parent.orders.inc(4)
        parent.sharing.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert parent.asked() == 7


def test_a_folder_that_can_not_be_used_is_said_once_and_counted(tmp_path: Path) -> None:
    """Law: rather no answer than sums that go back; the service goes on."""
    (tmp_path / "replica").write_text("a file", "utf-8")
    complaints: list[str] = []
    worker = Worker(tmp_path / "replica", complaints)
    worker.orders.inc()
    for _ in range(3):
        worker.sharing.tell()
    with pytest.raises(FiguresUnavailable):
        worker.sharing.collect()
    (complaint,) = complaints
    assert "are not shared" in complaint
    assert counter(worker.registry, "mainstay_telemetry_untold")._only().read() == (4,)
    (tmp_path / "replica").unlink()
    assert worker.asked() == 1


def test_who_takes_long_to_tell_tells_less_often() -> None:
    """Law: telling costs at most half a hundredth of a core."""
    assert pause_s(0.0) == pause_s(0.001) == TELL_EVERY_S
    assert pause_s(0.05) == pytest.approx(10.0)


def test_what_was_left_behind_is_removed_only_where_the_place_is_ours(tmp_path: Path) -> None:
    left = f"web-{2**22 + 1}-17"
    for root in (None, tmp_path):
        Folder(tmp_path / left, series_max=1).leave({})
        sharing = Sharing(Registry(), tmp_path / "web-1-1", shared=False, root=root)
        sharing.tidy_up()
        assert (tmp_path / left).exists() is (root is None)


def test_whoever_is_named_a_folder_shares_in_it(tmp_path: Path) -> None:
    def worker() -> Worker:
        made = object.__new__(Worker)
        made.registry = Registry()
        made.orders = made.registry.counter("orders", "x")
        made.sharing = sharing_of(
            made.registry, service="web", environ={FOLDER_VARIABLE: str(tmp_path)}
        )
        made.sharing._ended.set()
        return made

    one, another = worker(), worker()
    one.orders.inc(3)
    one.sharing.close()
    assert another.asked() == 3
    assert (tmp_path / "web").is_dir()
