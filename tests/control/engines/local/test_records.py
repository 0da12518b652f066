import errno
import io
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.engines.local.records import (
    STATE_BYTES_MAX,
    Record,
    ReplicaRecord,
    StateNotSaved,
    boot_id,
    dump,
    load,
    open_private,
    save,
    survivors,
    understand,
)
from mainstay.control.processes.identity import ProcessIdentity
from mainstay.control.processes.wire import WireInvalid, parse_object


def identity(name: str, pid: int) -> ProcessIdentity:
    return ProcessIdentity(
        name=name,
        pid=pid,
        started_s=1.0,
        shim_pid=pid - 1,
        shim_started_s=1.0,
        log_path=f"/logs/{name}.log",
        end_path=f"/ends/{name}.json",
    )


def record(system: str = "shop") -> Record:
    replicas = tuple(
        ReplicaRecord(
            identity=identity(f"catalog-{number}", 100 * number),
            service="catalog",
            number=number,
            port=5000 + number,
            probe_port=6000 + number if number == 1 else None,
            version="v1",
            revision="abc",
        )
        for number in (1, 2)
    )
    return Record(
        boot_id="boot-1",
        system=system,
        edge=identity("edge", 50),
        replicas=replicas,
        internal_ports=(("catalog", 4000),),
    )


def test_the_state_is_read_as_it_was_written_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    save(path, record())
    assert load(path).record == record()
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_no_state_is_no_trouble(tmp_path: Path) -> None:
    loaded = load(tmp_path / "state.json")
    assert (loaded.record, loaded.trouble) == (None, None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "not written by Mainstay"),
        (b'{"format": true}', "not written by Mainstay"),
        (b'{"format": 99, "boot_id": "b", "system": "s"}', "newer Mainstay"),
        (b'{"format": 1, "system": "s"}', "boot_id"),
        (b'{"format": 1, "boot_id": "b", "system": "s", "replicas": [{"pid": -1}]}', "replicas"),
        (b'{"format": 1, "boot_id": 1e999, "system": "s"}', "boot_id"),
        (b'{"x": "' + b"x" * STATE_BYTES_MAX + b'"}', "longer"),
    ],
)
def test_a_state_that_is_not_ours_is_moved_aside_with_a_sentence(
    tmp_path: Path, data: bytes, why: str
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(data)
    loaded = load(path)
    assert loaded.record is None
    assert loaded.trouble is not None
    assert why in loaded.trouble
    assert not path.exists()
    assert (tmp_path / "state.json.unreadable").read_bytes() == data


@given(data=st.binary(max_size=100))
def test_no_bytes_end_in_anything_but_a_refusal(data: bytes) -> None:
    with pytest.raises(WireInvalid):
        understand(parse_object(data))


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_state_is_read_or_refused(at: int, byte: int) -> None:
    data = bytearray(dump(record()))
    data[at % len(data)] = byte
    try:
        read = understand(parse_object(bytes(data)))
    except WireInvalid:
        return
    assert all(one.identity.pid > 1 for one in read.replicas)


class FaultyFile(io.FileIO):
    """Writes little pieces; the operation with the number ``fail_at`` finds the disk full."""

    def __init__(self, fd: int, fail_at: int) -> None:
        super().__init__(fd, "w")
        self.fail_at = fail_at

    def step(self) -> None:
        self.fail_at -= 1
        if self.fail_at < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, data: object) -> int:
        self.step()
        assert isinstance(data, bytes)
        return super().write(data[:200]) or 0


def faulty(fail_at: int) -> Callable[[Path], IO[bytes]]:
    def opener(path: Path) -> IO[bytes]:
        if fail_at == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        # A FileIO is what an unbuffered file is.
        return cast("IO[bytes]", FaultyFile(fd, fail_at - 1))

    return opener


def test_a_disk_that_gets_full_at_any_write_leaves_the_state_before(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    save(path, record("before"))
    failures = 0
    for fail_at in range(100):
        try:
            save(path, record("after"), opener=faulty(fail_at))
        except StateNotSaved:
            failures += 1
        else:
            break
        assert load(path).record == record("before")
        assert list(tmp_path.iterdir()) == [path]
    assert failures >= 7
    assert load(path).record == record("after")


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateNotSaved, match="No space left"):
        save(tmp_path / "state.json", record(), opener=faulty(1))


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.json")
    loaded = load(tmp_path / "state.json")
    assert loaded.trouble is not None
    assert "not JSON" in loaded.trouble


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateNotSaved, match="No such file"):
        save(tmp_path / "gone" / "state.json", record())


def test_replicas_of_before_there_were_ports_for_probes_have_none() -> None:
    document = json.loads(dump(record()))
    for one in document["replicas"]:
        del one["probe_port"]
    assert [one.probe_port for one in understand(document).replicas] == [None, None]


def test_what_is_no_port_is_refused() -> None:
    with pytest.raises(WireInvalid, match="70000 is no port"):
        understand(parse_object(dump(record()).replace(b"6001", b"70000")))


def test_a_link_in_the_place_of_the_new_state_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "state.json.new").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic link"):
        open_private(tmp_path / "state.json.new")
    assert not (tmp_path / "victim").exists()


def test_who_lives_is_kept_and_the_rest_is_named() -> None:
    found = survivors(record(), boot_id="boot-1", alive=lambda one: one.pid in {50, 200})
    assert found.edge == identity("edge", 50)
    assert [one.number for one in found.replicas] == [2]
    assert found.rest == (identity("catalog-1", 100),)
    assert not found.rebooted


def test_after_a_reboot_nothing_is_ours_even_where_pids_match() -> None:
    found = survivors(record(), boot_id="boot-2", alive=lambda _: True)
    assert found.rebooted
    assert (found.edge, found.replicas, found.rest) == (None, (), ())


def test_the_boot_has_one_name() -> None:
    assert boot_id() == boot_id() != ""
    assert socket.gethostname() not in boot_id()
