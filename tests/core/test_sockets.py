import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.core import sockets
from mainstay.core.sockets import (
    PATH_BYTES_MAX,
    SocketFolderUnsafe,
    clear_room,
    find_socket,
    make_room,
    remove_socket,
    short_socket_path,
)


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the test's own for short ones, itself short as the system's is."""
    with tempfile.TemporaryDirectory(prefix="ms", dir="/tmp") as folder:
        monkeypatch.setattr(sockets, "SHORT_ROOT", Path(folder))
        yield Path(folder)


LONG = Path("/srv") / ("long" * 30)


def test_a_short_path_is_taken_as_it_is() -> None:
    assert short_socket_path(Path("/srv/app"), "admin.sock") == Path("/srv/app/admin.sock")


def test_the_bound_is_in_bytes() -> None:
    room = PATH_BYTES_MAX - len("/") - len("/s")
    assert short_socket_path(Path("/" + "a" * room), "s").parent.name == "a" * room
    assert short_socket_path(Path("/" + "é" * room), "s").parent.name != "é" * room


def test_a_long_path_is_replaced_by_one_that_a_socket_can_have(temporary: Path) -> None:
    path = short_socket_path(LONG, "admin.sock")
    assert path == short_socket_path(LONG, "admin.sock"), "each process finds the same"
    assert path.parent != short_socket_path(LONG / "other", "admin.sock").parent
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    assert path.is_socket()
    remove_socket(LONG, "admin.sock")
    assert not path.parent.exists()


def test_a_folder_with_another_socket_stays() -> None:
    first, second = short_socket_path(LONG, "a.sock"), short_socket_path(LONG, "b.sock")
    second.touch()
    remove_socket(LONG, "a.sock")
    assert not first.exists()
    assert second.exists()


@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_folder_that_others_may_enter_is_refused(mode: int) -> None:
    folder = short_socket_path(LONG, "s").parent
    folder.chmod(mode)
    with pytest.raises(SocketFolderUnsafe, match="not a private folder"):
        short_socket_path(LONG, "s")


def test_a_link_that_somebody_put_there_is_refused(temporary: Path) -> None:
    folder = short_socket_path(LONG, "s").parent
    folder.rmdir()
    own = temporary / "own"
    own.mkdir(mode=0o700)
    folder.symlink_to(own)
    with pytest.raises(SocketFolderUnsafe, match="not a private folder"):
        short_socket_path(LONG, "s")


def test_somebody_elses_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = short_socket_path(LONG, "s").parent
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    found.rename(found.with_name(found.name.replace(f"-{other - 1}-", f"-{other}-")))
    with pytest.raises(SocketFolderUnsafe, match="not a private folder"):
        short_socket_path(LONG, "s")


def test_a_file_in_its_place_is_an_error() -> None:
    folder = short_socket_path(LONG, "s").parent
    folder.rmdir()
    folder.touch()
    with pytest.raises(OSError, match=r"exists|private"):
        short_socket_path(LONG, "s")


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove_socket(tmp_path, "s")


def test_looking_for_a_socket_makes_nothing(temporary: Path) -> None:
    path = find_socket(LONG, "s")
    remove_socket(LONG, "s")
    assert list(temporary.iterdir()) == []
    make_room(path)
    assert path.parent.is_dir()
    assert path == short_socket_path(LONG, "s")
    clear_room(path)
    assert list(temporary.iterdir()) == []


def test_looking_trusts_nobody_elses_folder() -> None:
    """Law: a fake daemon in a folder that somebody put there is never talked to."""
    short = find_socket(LONG, "s").parent
    short.mkdir()
    short.chmod(0o777)
    with pytest.raises(SocketFolderUnsafe, match="not a private folder"):
        find_socket(LONG, "s")


def test_a_folder_that_is_not_short_is_neither_made_nor_removed(tmp_path: Path) -> None:
    make_room(tmp_path / "gone" / "s")
    assert not (tmp_path / "gone").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    clear_room(empty / "s")
    assert empty.is_dir()


def test_the_environment_does_not_decide_where_a_socket_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: a shell, a cron job and a service manager find the same daemon."""
    before = find_socket(LONG, "s")
    for name in ("TMPDIR", "TEMP", "TMP", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert find_socket(LONG, "s") == before
