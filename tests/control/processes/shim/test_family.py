import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.shim import family

ROWS = [(10, 1, 10, 100), (11, 10, 10, 200), (12, 11, 12, 300), (20, 1, 20, 400)]


@given(text=st.binary(max_size=400))
def test_anything_that_ps_prints_is_read_or_passed_over(text: bytes) -> None:
    for row in family.parse_ps(text):
        assert len(row) == 4


def test_ps_lines_are_read_in_bytes() -> None:
    text = b"    1     0     1  1024\n   12    11    12     3\nUSER stray line\n"
    assert family.parse_ps(text) == [(1, 0, 1, 2**20), (12, 11, 12, 3072)]


def test_below_finds_all_generations_and_nobody_else() -> None:
    assert family.below(ROWS, 10) == [11, 12]
    assert family.below(ROWS, 20) == []
    assert family.below([], 10) == []
    # A table that was read while it changed may have a circle in it.
    assert family.below([(5, 6, 5, 0), (6, 5, 5, 0)], 5) == [6]


def test_a_process_began_once_and_a_pid_that_is_free_never() -> None:
    if not family.LINUX:
        pytest.skip("reads /proc")
    assert family.started_s(os.getpid()) == family.started_s(os.getpid())
    assert family.started_s(2**22 + 1) is None


def test_our_own_memory_is_some_megabytes() -> None:
    assert 2**20 < family.resident_bytes([os.getpid()]) < 2**36
    assert family.resident_bytes([]) == 0


def test_ps_and_proc_agree_about_us() -> None:
    rows = {pid: (ppid, pgid) for pid, ppid, pgid, _ in family.ps_rows()}
    if not rows:
        pytest.skip("this system has no ps")
    assert rows[os.getpid()] == (os.getppid(), os.getpgrp())
