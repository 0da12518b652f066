"""A file is replaced whole or not at all, and also on a disk that has nothing left."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.files import read_text
from mainstay.edge.running.room import ROOM_BYTES, room_bytes, write_in_room

CALLS = ("open", "fstat", "pwrite", "ftruncate", "link", "unlink", "rename", "replace", "stat")


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the disk sees it: what a file has can be written again, and nothing can be added."""
    write = os.pwrite

    def pwrite(handle: int, content: memoryview, at: int) -> int:
        room = os.fstat(handle).st_size - at
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content[:room], at)

    with monkeypatch.context() as patched:
        patched.setattr("mainstay.edge.running.room.os.pwrite", pwrite)
        yield


def test_on_a_full_disk_what_is_not_much_longer_is_written_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cds.json"
    write_in_room(path, "x" * 20_000)
    with full_disk(monkeypatch):
        for n, length in enumerate((20_000, 100, 30_000, 1, 32_000)):
            write_in_room(path, str(n) * length)
            assert read_text(path) == str(n) * length


def test_what_does_not_fit_is_refused_and_later_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cds.json"
    write_in_room(path, "old")
    long = "x" * (ROOM_BYTES + 1)
    with full_disk(monkeypatch):
        with pytest.raises(EdgeUnavailable, match=r"cannot write .*: No space left on device"):
            write_in_room(path, long)
        assert read_text(path) == "old"
        write_in_room(path, "short")
        assert read_text(path) == "short", "the room is still there"
        with pytest.raises(EdgeUnavailable):
            write_in_room(tmp_path / "another.json", "new")
    write_in_room(path, long)
    assert read_text(path) == long


@given(length=st.integers(0, 10**7))
def test_a_room_is_larger_than_its_content_and_not_by_much(length: int) -> None:
    assert 1.5 * length - 1 <= room_bytes(length) <= 1.5 * length + ROOM_BYTES


def test_a_written_file_is_private_and_replaces_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "cds.json"
    path.write_text("old")
    path.chmod(0o666)
    for text in ("new", "newer", "newest"):
        write_in_room(path, text)
        assert read_text(path) == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"cds.json", ".cds.json.draft"}


def test_a_reader_keeps_what_it_opened(tmp_path: Path) -> None:
    """Envoy may still read the file when the next one comes."""
    path = tmp_path / "cds.json"
    write_in_room(path, "first")
    with path.open() as reader:
        write_in_room(path, "second")
        assert reader.read().rstrip() == "first"


@pytest.mark.parametrize("leftover", [".cds.json.draft", ".cds.json.last"])
@pytest.mark.parametrize("kind", ["symlink", "hard link", "link to the file", "half", "fifo"])
def test_what_lies_in_the_way_is_never_written_through(
    tmp_path: Path, leftover: str, kind: str
) -> None:
    path, victim, other = tmp_path / "cds.json", tmp_path / "victim", tmp_path / leftover
    victim.write_text("mine")
    victim.chmod(0o600)
    path.write_text("old")
    match kind:
        case "symlink":
            other.symlink_to(victim)
        case "hard link":
            other.hardlink_to(victim)
        case "link to the file":
            other.hardlink_to(path)
        case "fifo":
            os.mkfifo(other)
        case _:
            other.write_text("half")
    with path.open() as reader:
        write_in_room(path, "new")
        assert reader.read() == "old"
    assert (read_text(path), victim.read_text()) == ("new", "mine")
    write_in_room(path, "newer")
    assert (read_text(path), victim.read_text()) == ("newer", "mine")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("nth", range(4))
def test_whatever_fails_the_file_is_whole_and_the_next_write_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int
) -> None:
    path = tmp_path / "cds.json"
    write_in_room(path, "old")
    real, count = getattr(os, call), iter(range(10**6))

    def fails(*words: object, **more: object) -> object:
        if next(count) == nth:
            raise OSError(errno.EIO, "Input/output error")
        return real(*words, **more)

    told = False
    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        try:
            write_in_room(path, "new")
        except EdgeUnavailable:
            told = True
    assert read_text(path) == ("old" if told else "new")
    write_in_room(path, "newer")
    assert read_text(path) == "newer"
