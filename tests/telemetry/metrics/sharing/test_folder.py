"""The folder as several processes use it, each an object of its own here; locks know no better."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.forking import fork

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.sharing import folder as folder_module
from mainstay.telemetry.metrics.sharing.folder import Folder, FolderBusy, is_deserted
from mainstay.telemetry.metrics.sharing.record import Record, encode
from mainstay.telemetry.metrics.snapshot import Family, Snapshot, merge

ORDERS = Family(name="orders", kind=Kind.COUNTER, help="x", labels=("region",))
DEPTH = Family(name="depth", kind=Kind.GAUGE, help="x")


def counted(orders: float) -> Snapshot:
    return {ORDERS: {("eu",): (orders,)}, DEPTH: {(): (1,)}}


def made(path: Path) -> Folder:
    return Folder(path, series_max=100, wait=lambda _: None)


def die(folder: Folder) -> None:
    """What the kernel does when a process is killed."""
    for file in list(folder._used):
        os.close(file)
    folder._used.clear()


def told(folder: Folder, own: float) -> tuple[float, float]:
    """Return what ``folder``'s process answers: all orders, and processes that live."""
    mine = counted(own)
    together = merge((mine, *folder.ask(mine)), series_max=100)
    return together[ORDERS]["eu",][0], together[DEPTH][()][0]


def files(path: Path) -> set[str]:
    return {one.name for one in path.iterdir()}


def test_who_is_asked_adds_up_what_the_living_told(tmp_path: Path) -> None:
    one, another = made(tmp_path / "x"), made(tmp_path / "x")
    another.tell(counted(5))
    assert told(one, 3) == (8, 2)
    another.tell(counted(6))
    assert told(one, 3) == (9, 2)
    assert told(another, 6) == (9, 2)


def test_what_a_killed_process_told_is_counted_for_ever_and_once(tmp_path: Path) -> None:
    one, another = made(tmp_path), made(tmp_path)
    another.tell(counted(5))
    die(another)
    assert [told(one, 3) for _ in range(3)] == [(8, 1)] * 3
    assert files(tmp_path) == {"lock", "ended.counts", f"{one.name}.counts"}


def test_one_that_leaves_is_with_those_that_ended_at_once(tmp_path: Path) -> None:
    one, another = made(tmp_path), made(tmp_path)
    another.tell(counted(5))
    another.leave(counted(7))
    assert files(tmp_path) == {"lock", "ended.counts"}
    assert told(one, 0) == (7, 1)


def test_files_do_not_grow_in_number(tmp_path: Path) -> None:
    for _ in range(20):
        worker = made(tmp_path)
        worker.ask(counted(1))
        die(worker)
    assert len(files(tmp_path)) <= 3
    assert told(made(tmp_path), 0) == (20, 1)


def test_cut_off_between_any_two_steps_nothing_is_lost_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: whoever adds up the dead may itself be killed at any system call."""
    calls = ("rename", "unlink", "open", "close")
    failed_at = 0
    ended_well = False
    while not ended_well:
        failed_at += 1
        path = tmp_path / str(failed_at)
        for orders in (5, 7):
            dead = made(path)
            dead.tell(counted(orders))
            die(dead)
        victim = made(path)
        with monkeypatch.context() as patched:
            left = failed_at

            def breaking(real: Callable[..., object]) -> Callable[..., object]:
                def call(*args: object, **named: object) -> object:
                    nonlocal left
                    left -= 1
                    if left == 0:
                        raise KeyboardInterrupt
                    return real(*args, **named)

                return call

            for name in calls:
                patched.setattr(os, name, breaking(getattr(os, name)))
            with suppress(KeyboardInterrupt):
                victim.ask(counted(0))
                ended_well = True
        die(victim)
        assert told(made(path), 0) == (12, 1), f"cut off at call {failed_at}"
        assert len(files(path)) <= 3
    assert failed_at > 15


def test_nobody_waits_for_ever_for_one_that_was_stopped(tmp_path: Path) -> None:
    holder = made(tmp_path)
    waited: list[float] = []
    waiter = Folder(tmp_path, series_max=100, wait=waited.append)
    with holder._locked(), pytest.raises(FolderBusy, match="held by another process"):
        waiter.tell(counted(1))
    assert sum(waited) == pytest.approx(folder_module.WAIT_S, abs=0.01)
    waiter.tell(counted(1))


def test_everything_is_private(tmp_path: Path) -> None:
    folder = made(tmp_path / "a" / "b")
    folder.ask(counted(1))
    for made_folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(made_folder.stat().st_mode) == 0o700
    for file in (tmp_path / "a" / "b").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="only this user"):
        made(tmp_path).tell(counted(1))
    link = tmp_path / "link"
    (tmp_path / "real").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "real")
    with pytest.raises(PermissionError, match="only this user"):
        made(link).tell(counted(1))


def test_who_may_write_above_it_could_put_another_in_its_place(tmp_path: Path) -> None:
    """Law: that matters where we chose the place; one that was named is the user's business."""
    root = tmp_path / "root"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(PermissionError, match="only this user"):
        Folder(root / "below", series_max=1, root=root).tell({})
    assert list(root.iterdir()) == []
    made(root / "below").tell(counted(1))


def test_a_file_of_nonsense_disturbs_nobody_and_goes(tmp_path: Path) -> None:
    folder = made(tmp_path)
    folder.tell(counted(3))
    (tmp_path / "1-aa.counts").write_bytes(b"nonsense")
    (tmp_path / "2-bb.counts").write_bytes(encode(Record(counted=counted(1)))[:-3])
    (tmp_path / "draft").write_bytes(b"half")
    assert told(folder, 3) == (3, 1)
    assert "1-aa.counts" not in files(tmp_path)


def test_a_full_disk_leaves_what_was_told_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, another = made(tmp_path), made(tmp_path)
    one.tell(counted(3))

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", full)
        with pytest.raises(OSError, match="No space"):
            one.tell(counted(4))
    assert told(another, 0) == (3, 2)
    one.tell(counted(4))
    assert told(another, 0) == (4, 2)


def test_a_forked_child_is_another_process_and_its_parent_lives_on(tmp_path: Path) -> None:
    parent, observer = made(tmp_path), made(tmp_path)
    parent.tell(counted(3))
    before = parent.name
    child = fork()
    if not child:
        # What happens here is seen by the parent through the exit status alone.
        parent.forget()
        good = parent.name != before and told(parent, 4) == (7, 2)
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert told(observer, 0) == (7, 2)
    parent.tell(counted(5))
    assert told(observer, 0) == (9, 2)


def test_a_folder_is_deserted_when_nobody_tells_any_more(tmp_path: Path) -> None:
    folder = made(tmp_path)
    folder.tell(counted(1))
    assert not is_deserted(tmp_path)
    die(folder)
    assert is_deserted(tmp_path)
