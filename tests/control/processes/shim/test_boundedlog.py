import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.shim.boundedlog import (
    LOOK_AFTER_S,
    RETRY_AFTER_S,
    TAIL_BYTES,
    BoundedLog,
)

BOUND = 100
lines = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b" ") + b"\n")


def logged(path: Path) -> bytes:
    files = [path.with_name(f"{path.name}.{age}") for age in (3, 2, 1)] + [path]
    return b"".join(file.read_bytes() for file in files if file.exists())


def opened(path: Path, bytes_max: int = BOUND) -> BoundedLog:
    return BoundedLog(os.fsencode(path), bytes_max=bytes_max)


@given(pieces=st.lists(st.binary(max_size=350), max_size=30))
def test_whatever_is_written_no_file_passes_the_bound_and_the_latest_is_kept(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    log = opened(folder / "a.log")
    for now_s, piece in enumerate(pieces):
        log.write(piece, now_s=float(now_s))
    log.finish()
    everything = b"".join(pieces)
    assert all(file.stat().st_size <= BOUND for file in folder.iterdir())
    assert len(list(folder.iterdir())) <= 4
    kept = logged(folder / "a.log")
    assert everything.endswith(kept)
    # Three older files that were as full as lines allow; binary pieces fill them to the half.
    assert len(kept) >= min(len(everything), BOUND)
    assert log.dropped_bytes == 0


@given(written=st.lists(lines, max_size=60), per_write=st.integers(1, 9))
def test_lines_that_fit_are_never_torn_by_a_rotation(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], per_write: int
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    log = opened(folder / "a.log")
    for at in range(0, len(written), per_write):
        log.write(b"".join(written[at : at + per_write]), now_s=0.0)
    log.finish()
    for file in folder.iterdir():
        assert not file.stat().st_size or file.read_bytes().endswith(b"\n")


def test_a_file_that_is_there_is_continued_and_an_oversized_one_is_put_aside(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.log").write_bytes(b"before\n")
    (tmp_path / "b.log").write_bytes(b"x" * (BOUND + 1))
    for name in ("a.log", "b.log"):
        log = opened(tmp_path / name)
        log.write(b"after\n", now_s=0.0)
        log.finish()
    assert (tmp_path / "a.log").read_bytes() == b"before\nafter\n"
    assert (tmp_path / "b.log").read_bytes() == b"after\n"
    assert (tmp_path / "b.log.1").stat().st_size == BOUND + 1


def test_the_log_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    log = opened(tmp_path / "a.log")
    log.write(b"x", now_s=0.0)
    log.finish()
    assert (tmp_path / "a.log").stat().st_mode & 0o777 == 0o600


def test_what_was_dropped_is_counted_and_said_once_writing_works_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = opened(folder / "a.log", 10_000)
    log.write(b"one\n", now_s=0.0)
    shutil.rmtree(folder)
    gone_s = LOOK_AFTER_S + 0.1
    log.write(b"two\n", now_s=gone_s)
    log.write(b"three\n", now_s=gone_s + RETRY_AFTER_S / 2)
    assert log.dropped_bytes == 10
    folder.mkdir()
    log.write(b"four\n", now_s=gone_s + RETRY_AFTER_S)
    log.write(b"five\n", now_s=gone_s + RETRY_AFTER_S)
    log.finish()
    said, four, five = (folder / "a.log").read_bytes().splitlines()
    assert b"10 bytes" in said
    assert b"No such file" in said
    assert (four, five) == (b"four", b"five")
    assert log.dropped_bytes == 10


def test_a_full_disk_drops_and_tries_again_only_after_a_pause() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    log = opened(Path("/dev/full"))
    for now_s in (0.0, 0.01, 1.0):
        log.write(b"x" * 300, now_s=now_s)
    log.finish()
    assert log.dropped_bytes == 900
    # A device is never renamed, whatever its bound.
    assert Path("/dev/full").is_char_device()


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to(tmp_path / "elsewhere")
    log = opened(tmp_path / "a.log")
    log.write(b"x", now_s=0.0)
    assert log.dropped_bytes == 1
    assert not (tmp_path / "elsewhere").exists()


def test_files_that_cannot_be_moved_are_cut_so_that_the_bound_holds(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").mkdir()
    (tmp_path / "a.log.1" / "full").touch()
    (tmp_path / "a.log.2").write_bytes(b"a file cannot replace, nor be replaced by, a folder")
    log = opened(tmp_path / "a.log")
    for number in range(50):
        log.write(b"line %d\n" % number, now_s=0.0)
    log.finish()
    assert (tmp_path / "a.log").stat().st_size <= BOUND
    assert b"line 49\n" in (tmp_path / "a.log").read_bytes()


def test_the_tail_is_kept_even_when_nothing_can_be_written(tmp_path: Path) -> None:
    log = opened(tmp_path / "missing" / "a.log")
    log.write(b"y" * 3 * TAIL_BYTES + b"Traceback: the reason\n", now_s=0.0)
    assert log.tail.endswith(b"the reason\n")
    assert len(log.tail) == TAIL_BYTES
