"""The ring: bounded, private, and whole again after whatever cut it short."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.traces.spans import TRACE, span

from mainstay.control.traces.kept import find, listing
from mainstay.control.traces.line import line_of
from mainstay.control.traces.ring import Ring, segments


def small(folder: Path) -> Ring:
    return Ring(folder, segment_bytes=1000, segments_max=4, age_max_s=800.0)


def size_of(folder: Path) -> int:
    return sum(one.path.stat().st_size for one in segments(folder))


@given(st.lists(st.lists(st.integers(1, 900), max_size=5), max_size=40))
def test_the_ring_never_grows_above_its_bound_and_keeps_the_latest(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("ring") / "traces"
    ring = small(folder)
    written: list[bytes] = []
    for batch in batches:
        lines = [b"x" * (size - 1) + b"\n" for size in batch]
        ring.append(lines, 100.0)
        written += lines
        assert size_of(folder) <= 4000
        assert all(one.path.stat().st_size <= 1000 for one in segments(folder))
    there = b"".join(one.path.read_bytes() for one in segments(folder))
    assert b"".join(written).endswith(there)
    # Three segments are never deleted for want of room, and each is at least a tenth full.
    assert len(there) == sum(map(len, written)) or len(segments(folder)) == 4


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    ring = small(tmp_path / "traces")
    ring.append([b"x\n"], 100.0)
    (segment,) = segments(tmp_path / "traces")
    assert segment.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "traces").stat().st_mode & 0o777 == 0o700


def test_another_daemon_goes_on_in_the_same_file(tmp_path: Path) -> None:
    small(tmp_path).append([b"one\n"], 100.0)
    small(tmp_path).append([b"two\n"], 101.0)
    (segment,) = segments(tmp_path)
    assert segment.path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_was_cut_short_does_not_swallow_the_next(tmp_path: Path) -> None:
    small(tmp_path).append([line_of(span(1))], 100.0)
    (segment,) = segments(tmp_path)
    with segment.path.open("ab") as file:
        file.write(line_of(span(2))[:50])
    small(tmp_path).append([line_of(span(3))], 100.0)
    assert [one.name for one in find(tmp_path, TRACE).spans] == ["span 1", "span 3"]
    assert listing(tmp_path).unreadable == 1


def test_what_is_too_old_is_deleted(tmp_path: Path) -> None:
    ring = small(tmp_path)
    ring.append([b"old\n"], 100.0)
    (old,) = segments(tmp_path)
    os.utime(old.path, (100.0, 100.0))
    ring.expire(900.0)
    assert segments(tmp_path) == [old]
    ring.expire(901.0)
    assert segments(tmp_path) == []


def test_a_file_does_not_mix_old_and_new_beyond_an_eighth_of_the_age(tmp_path: Path) -> None:
    ring = small(tmp_path)
    for at_s in (1000.0, 1099.0, 1101.0):
        ring.append([b"%d\n" % at_s], at_s)
    assert [one.path.read_bytes() for one in segments(tmp_path)] == [b"1000\n1099\n", b"1101\n"]
    # A clock that was set back begins a file, too, and nothing is lost.
    ring.append([b"500\n"], 500.0)
    assert len(segments(tmp_path)) == 3


def test_a_full_disk_is_told_and_over_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: of what was being written some may be there; what comes afterwards is whole."""
    ring = Ring(tmp_path)
    write = os.write
    room = [100]

    def limited(fd: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(fd, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", limited)
        with pytest.raises(OSError, match="No space"):
            ring.append([line_of(span(1))], 100.0)
    ring.append([line_of(span(2))], 100.0)
    assert [one.name for one in find(tmp_path, TRACE).spans] == ["span 2"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious\n")
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "spans-000009-100.jsonl").symlink_to(elsewhere)
    (folder / "door.json").write_text("{}")
    ring = small(folder)
    for _ in range(8):
        ring.append([b"y" * 600 + b"\n"], 100.0)
    with pytest.raises(OSError, match="symbolic"):
        ring.append([b"y" * 600 + b"\n"], 100.0)
    assert elsewhere.read_text() == "precious\n"
    assert (folder / "door.json").exists()
    assert all(not one.path.is_symlink() for one in segments(folder))


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    ring = small(tmp_path / "traces")
    ring.append([b"x\n"], 100.0)
    segments(tmp_path / "traces")[0].path.unlink()
    (tmp_path / "traces").rmdir()
    ring.append([b"y\n"], 100.0)
    assert size_of(tmp_path / "traces") == 2
