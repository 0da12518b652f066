import fcntl
import os
from pathlib import Path

import pytest

from mainstay.control.engines.local.folder import (
    LOCK_TRIES,
    FolderRefused,
    SystemLock,
    lock_holder,
    prepare,
)
from mainstay.core.errors import AlreadyRunning


def test_everything_is_made_and_private(tmp_path: Path) -> None:
    folder = tmp_path / ".mainstay"
    prepare(folder)
    prepare(folder)
    for one in (folder, *(folder / name for name in ("logs", "ends", "edge", "run", "traces"))):
        assert one.stat().st_mode & 0o777 == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_folder_that_is_open_to_others_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / ".mainstay"
    folder.mkdir(mode=0o755)
    folder.chmod(0o777)
    prepare(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["", "logs", "ends", "edge", "run", "traces"])
def test_a_link_is_refused(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    folder = tmp_path / ".mainstay"
    if name:
        folder.mkdir()
    (folder / name if name else folder).symlink_to(elsewhere)
    with pytest.raises(FolderRefused, match="symbolic link"):
        prepare(folder)
    assert list(elsewhere.iterdir()) == []
    assert elsewhere.stat().st_mode & 0o777 == 0o755


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".mainstay").write_text("")
    with pytest.raises(FolderRefused, match="Not a directory"):
        prepare(tmp_path / ".mainstay")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ".mainstay"
    folder.mkdir()
    os.chown(folder, 12345, -1)
    with pytest.raises(FolderRefused, match="another user"):
        prepare(folder)


def test_one_holds_the_lock_and_the_other_is_told_who(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert lock_holder(path) is None
    with SystemLock(path):
        assert lock_holder(path) == os.getpid()
        with pytest.raises(AlreadyRunning, match=str(os.getpid())) as caught:
            SystemLock(path).acquire()
        assert caught.value.pid == os.getpid()
    assert lock_holder(path) is None
    with SystemLock(path):
        pass
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_lock_without_a_readable_pid_is_still_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with SystemLock(path):
        path.write_bytes(b"\xff garbage")
        with pytest.raises(AlreadyRunning, match="another process") as caught:
            SystemLock(path).acquire()
        assert caught.value.pid == 0
        assert lock_holder(path) == 0


def test_a_lock_whose_folder_is_gone_or_which_is_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderRefused, match="No such file"):
        SystemLock(tmp_path / "gone" / "lock").acquire()
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(FolderRefused):
        SystemLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "victim").exists()


def test_the_lock_is_not_inherited(tmp_path: Path) -> None:
    lock = SystemLock(tmp_path / "lock")
    with lock:
        assert not os.get_inheritable(lock._fd)


def test_one_who_asks_for_the_holder_is_not_taken_for_it(tmp_path: Path) -> None:
    """Law: only a daemon keeps another daemon from starting."""
    path = tmp_path / "lock"
    path.touch(mode=0o600)
    asking = path.open("rb")
    fcntl.flock(asking, fcntl.LOCK_SH)
    waits: list[float] = []

    def asked_enough(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            asking.close()

    with SystemLock(path, wait=asked_enough):
        assert lock_holder(path) == os.getpid()
    assert len(waits) == 3


def test_waiting_for_those_who_ask_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(mode=0o600)
    waits: list[float] = []
    with path.open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        with pytest.raises(FolderRefused, match="again and again"):
            SystemLock(path, wait=waits.append).acquire()
    assert len(waits) == LOCK_TRIES
    with SystemLock(path):
        pass


def test_a_daemon_is_recognised_without_waiting(tmp_path: Path) -> None:
    waits: list[float] = []
    with SystemLock(tmp_path / "lock"), pytest.raises(AlreadyRunning):
        SystemLock(tmp_path / "lock", wait=waits.append).acquire()
    assert waits == []
