import contextlib
import errno
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.telemetry.logs.outlet import (
    PIPE_BUF,
    Outlet,
    _asking_outlet,
    open_outlet,
)
from mainstay.telemetry.logs.writer import Writer, stdout_writer

PATIENCE_S = 30.0


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        for number in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(number)


@contextlib.contextmanager
def opened(number: int) -> Iterator[Outlet]:
    outlet = open_outlet(number)
    try:
        yield outlet
    finally:
        outlet.close()


def eventually(holds: object, *, what: str = "") -> None:
    ends_s = SYSTEM_CLOCK.monotonic_s() + PATIENCE_S
    while not holds():  # type: ignore[operator]  # A callable.
        assert SYSTEM_CLOCK.monotonic_s() < ends_s, what
        pause(0.002)


class Reader:
    """Takes what it is told to, and answers as a kernel does."""

    def __init__(self) -> None:
        self.taken = b""
        self.room = 1 << 30
        self.error: OSError | None = None
        self.reentered: object = None

    def write(self, data: bytes) -> int:
        if self.reentered is not None:
            enter, self.reentered = self.reentered, None
            enter()  # type: ignore[operator]  # A callable.
        if self.error is not None:
            raise self.error
        if self.room == 0:
            raise BlockingIOError
        count = min(self.room, len(data))
        self.room -= count
        self.taken += data[:count]
        return count


@pytest.fixture
def room() -> Iterator[int]:
    """A descriptor that one may always write to."""
    with tempfile.TemporaryFile() as file:
        yield file.fileno()


def test_a_line_is_one_call(room: int) -> None:
    calls: list[bytes] = []

    def write(data: bytes) -> int:
        calls.append(data)
        return len(data)

    writer = Writer(Outlet(write, room, whole=False, close=lambda: None))
    writer.write(b"one\n")
    writer.write(b"two\n")
    assert calls == [b"one\n", b"two\n"]


def test_what_the_reader_does_not_take_waits_and_comes_in_order(room: int) -> None:
    reader = Reader()
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    reader.room = 6
    for number in range(50):
        writer.write(b"line %02d\n" % number)
    assert writer.behind
    reader.room = 1 << 30
    eventually(lambda: not writer.behind)
    assert reader.taken == b"".join(b"line %02d\n" % number for number in range(50))
    assert writer.lost == 0
    writer.write(b"direct again\n")
    assert reader.taken.endswith(b"direct again\n")


def test_the_queue_is_bounded_and_what_is_beyond_is_counted(room: int) -> None:
    reader = Reader()
    reader.room = 0
    writer = Writer(
        Outlet(reader.write, room, whole=False, close=lambda: None), queue_bytes_max=100
    )
    for _ in range(30):
        writer.write(b"ten bytes\n")
    assert writer.lost == 20
    reader.room = 1 << 30
    eventually(lambda: not writer.behind)
    assert reader.taken == b"ten bytes\n" * 10


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF])
def test_a_reader_that_is_gone_hurts_nobody_and_is_counted(number: int, room: int) -> None:
    reader = Reader()
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    reader.error = OSError(number, "gone")
    writer.write(b"a\n")
    writer.write(b"b\n")
    assert writer.lost == 2
    reader.error = None
    writer.write(b"c\n")
    assert reader.taken == b"c\n"


def test_what_waits_for_a_reader_that_goes_is_lost_and_counted(room: int) -> None:
    reader = Reader()
    reader.room = 0
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    for _ in range(5):
        writer.write(b"x\n")
    reader.error = BrokenPipeError()
    eventually(lambda: not writer.behind)
    assert writer.lost == 5


def test_half_a_line_on_a_full_disk_tears_no_other(room: int) -> None:
    reader = Reader()
    writer = Writer(Outlet(reader.write, room, whole=True, close=lambda: None))
    reader.room = 4
    writer.write(b"broken off\n")
    reader.room = 1 << 30
    writer.write(b"whole\n")
    writer.write(b"whole\n")
    assert reader.taken == b"brok\nwhole\nwhole\n"
    assert writer.lost == 1


def test_a_line_that_was_given_up_half_written_tears_no_other(room: int) -> None:
    reader = Reader()
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    reader.room = 4
    writer.write(b"broken off\n")
    reader.error = BrokenPipeError()
    eventually(lambda: not writer.behind)
    reader.error, reader.room = None, 1 << 30
    writer.write(b"whole\n")
    assert reader.taken == b"brok\nwhole\n"
    assert writer.lost == 1


def test_a_line_in_the_midst_of_another_comes_after_it(room: int) -> None:
    """A signal handler or a destructor may log at any moment, also within our own lock."""
    reader = Reader()
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    reader.reentered = lambda: writer.write(b"from the handler\n")
    writer.write(b"first\n")
    eventually(lambda: not writer.behind)
    assert reader.taken == b"first\nfrom the handler\n"


def test_the_end_writes_what_waits_and_waits_not_for_long() -> None:
    with pipe() as (read_end, write_end), opened(write_end) as outlet:
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        writer = Writer(outlet)
        for number in range(300):
            writer.write(b"line %090d\n" % number)
        assert writer.behind
        begun_s = SYSTEM_CLOCK.monotonic_s()
        writer.close()
        assert SYSTEM_CLOCK.monotonic_s() - begun_s < 20
        assert writer.lost > 200
        got = os.read(read_end, 100_000)
        assert got.endswith(b"\n")
        assert [int(line.split()[1]) for line in got.splitlines()] == list(
            range(len(got.splitlines()))
        )


def test_the_flags_of_stdout_stay_as_they_are() -> None:
    with pipe() as (_read_end, write_end), opened(write_end) as outlet:
        writer = Writer(outlet)
        writer.write(b"x\n")
        assert os.get_blocking(write_end)


def test_a_full_pipe_makes_nobody_wait() -> None:
    """Ten thousand lines at a reader that never reads: the call returns at once, each time."""
    with pipe() as (read_end, write_end), opened(write_end) as outlet:
        writer = Writer(outlet)
        slowest_s = 0.0
        for _ in range(10_000):
            begun_s = SYSTEM_CLOCK.monotonic_s()
            writer.write(b"x" * 199 + b"\n")
            slowest_s = max(slowest_s, SYSTEM_CLOCK.monotonic_s() - begun_s)
        # A machine that is busy may take the processor away for a while; a reader never came.
        assert slowest_s < 2
        assert writer.lost > 0
        got = 0
        kept = 10_000 - writer.lost
        os.set_blocking(read_end, False)
        ends_s = SYSTEM_CLOCK.monotonic_s() + PATIENCE_S
        while got < kept * 200 and SYSTEM_CLOCK.monotonic_s() < ends_s:
            with contextlib.suppress(BlockingIOError):
                got += len(os.read(read_end, 65_536))
        assert got == kept * 200


def test_long_lines_stay_whole_among_short_ones_of_other_threads() -> None:
    """Longer than a pipe takes at once, while others write: no line is in the midst of another."""
    with pipe() as (read_end, write_end), opened(write_end) as outlet:
        writer = Writer(outlet)
        start = threading.Barrier(4)

        def say(letter: bytes, length: int) -> None:
            start.wait(10)
            for _ in range(12):
                writer.write(letter * length + b"\n")

        threads = [
            threading.Thread(target=say, args=(letter, length))
            for letter, length in ((b"a", 3 * PIPE_BUF), (b"b", 40), (b"c", 9000))
        ]
        for one in threads:
            one.start()
        start.wait(10)
        got = b""
        while got.count(b"\n") < 36:
            got += os.read(read_end, 1000)
        for one in threads:
            one.join(10)
        assert sorted({(line[:1], len(line), len(set(line))) for line in got.splitlines()}) == [
            (b"a", 3 * PIPE_BUF, 1),
            (b"b", 40, 1),
            (b"c", 9000, 1),
        ]


def test_files_are_shared_with_whoever_writes_there_too(tmp_path: Path) -> None:
    """print() and the log lines of one process don't write over each other."""
    file = tmp_path / "out"
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with opened(number) as outlet:
        os.write(number, b"print\n")
        Writer(outlet).write(b"line\n")
        os.write(number, b"print\n")
    os.close(number)
    assert file.read_bytes() == b"print\nline\nprint\n"


def test_sockets_are_written_to_without_waiting() -> None:
    """As systemd gives stdout."""
    near, far = socket.socketpair()
    with near, far, opened(near.fileno()) as outlet:
        writer = Writer(outlet)
        writer.write(b"first\n")
        assert far.recv(100) == b"first\n"
        for _ in range(20_000):
            writer.write(b"x" * 99 + b"\n")
        assert writer.behind
        assert near.getblocking()
        far.close()
        eventually(lambda: not writer.behind)


_INTERRUPTED = """
import os, signal
from mainstay.telemetry.logs.outlet import Outlet
from mainstay.telemetry.logs.writer import Writer

class Interrupt(Exception):
    pass

def interrupt(*_):
    raise Interrupt

signal.signal(signal.SIGALRM, interrupt)
writer = Writer(Outlet(len, -1, whole=False, close=lambda: None))
for _ in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0001)
        while True:
            writer.write(b"x")
    except Interrupt:
        assert not writer._lock._is_owned()
"""


def test_a_handler_of_a_signal_that_raises_leaves_no_lock_taken() -> None:
    """In a process of its own, since the timer of this one is in use."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, check=False
    )
    # Of threads that it interrupts while they are started, Python itself may complain.
    assert done.returncode == 0, done.stderr


def test_without_a_description_of_its_own_it_asks_before_it_writes() -> None:
    """Where /proc is not, or the pipe is another user's."""
    with pipe() as (read_end, write_end):
        outlet = _asking_outlet(os.dup(write_end))
        writer = Writer(outlet)
        for _ in range(1000):
            writer.write(b"x" * 199 + b"\n")
        assert writer.behind
        got = 0
        while got < 200_000:
            got += len(os.read(read_end, 65_536))
        eventually(lambda: not writer.behind)
        assert writer.lost == 0
        outlet.close()


def test_a_process_without_stdout_counts() -> None:
    writer = Writer(open_outlet(10_007))
    writer.write(b"x\n")
    assert writer.lost == 1


def test_one_writer_for_one_stdout() -> None:
    assert stdout_writer() is stdout_writer()


def test_a_fork_writes_nothing_of_its_parents(room: int) -> None:
    reader = Reader()
    reader.room = 0
    writer = Writer(Outlet(reader.write, room, whole=False, close=lambda: None))
    writer.write(b"the parent's\n")
    writer.begin_anew()  # As the hook after a fork does; real forks are in tests/system.
    reader.room = 1 << 30
    writer.write(b"the child's\n")
    assert reader.taken.endswith(b"the child's\n")
    assert not writer.behind
