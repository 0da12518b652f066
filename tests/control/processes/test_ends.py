import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.processes.ends import RECORD_BYTES_MAX, End, read_end, running
from mainstay.control.processes.identity import ProcessIdentity, boot_id


def identity(end_path: Path, pid: int = 10) -> ProcessIdentity:
    return ProcessIdentity(
        name="a-1",
        pid=pid,
        started_s=5.0,
        shim_pid=9,
        shim_started_s=4.0,
        log_path=str(end_path.with_name("a-1.log")),
        end_path=str(end_path),
    )


RECORD = {
    "pid": 10, "started_s": 5.0, "shim_pid": 9, "shim_started_s": 4.0, "reason": "exited",
    "exit_code": 3, "signal": None, "detail": "", "lived_s": 1.25, "ended_at_s": 1e9,
    "memory_bytes": None, "dropped_log_bytes": 7, "tail": ["why"],
}  # fmt: skip


def test_a_record_says_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "a-1.json"
    path.write_text(json.dumps(RECORD))
    end = read_end(identity(path))
    assert (end.reason, end.exit_code, end.dropped_log_bytes) == ("exited", 3, 7)
    assert end.tail == ("why",)
    assert end.sentence == "exited with code 3 after 1.2 s"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": "signal", "exit_code": None, "signal": 9}, "was ended by SIGKILL after 1.2 s"),
        (
            {"reason": "memory", "exit_code": None, "signal": 9, "memory_bytes": 600 * 2**20},
            "was killed for its memory (600MiB) after 1.2 s",
        ),
        (
            {"reason": "left_behind", "exit_code": 0},
            "exited with code 0 after 1.2 s and left processes behind, which were ended",
        ),
        ({"reason": "spawn_failed", "detail": "a-1 cannot start: no room"}, "no room"),
        ({"reason": "running"}, "nobody knows how: its shim was killed"),
        ({"pid": 11}, "another process's"),
        ({"reason": "bored"}, "'bored' is no reason"),
        ({"exit_code": "3"}, "exit_code"),
    ],
)
def test_every_end_has_a_sentence(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = tmp_path / "a-1.json"
    path.write_text(json.dumps(RECORD | change))
    assert sentence in read_end(identity(path)).sentence


@given(data=st.binary(max_size=200))
def test_garbage_is_an_unknown_end(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("ends") / "a-1.json"
    path.write_bytes(data)
    end = read_end(identity(path))
    assert end.reason == "unknown"
    assert end.pid == 10


@pytest.mark.parametrize("data", [b"[" * 100_000, b'"' + b"x" * RECORD_BYTES_MAX + b'"', b"[]"])
def test_a_hostile_record_is_an_unknown_end(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a-1.json"
    path.write_bytes(data)
    assert read_end(identity(path)).reason == "unknown"


def test_a_missing_record_a_link_and_a_folder_are_unknown_ends(tmp_path: Path) -> None:
    assert "No such file" in read_end(identity(tmp_path / "none.json")).detail
    (tmp_path / "target.json").write_text(json.dumps(RECORD))
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    assert read_end(identity(tmp_path / "link.json")).reason == "unknown"
    (tmp_path / "folder.json").mkdir()
    assert read_end(identity(tmp_path / "folder.json")).reason == "unknown"


def test_what_runs_is_found_among_what_ended_and_what_is_damaged(tmp_path: Path) -> None:
    ends, logs = tmp_path / "ends", tmp_path / "logs"
    ends.mkdir()
    numbers: dict[str, object] = {
        name: RECORD[name] for name in ("pid", "started_s", "shim_pid", "shim_started_s")
    }
    numbers |= {"boot_id": boot_id()}
    (ends / "a-1.json").write_text(json.dumps(numbers | {"reason": "running"}))
    (ends / "a-2.json").write_text(json.dumps(RECORD))
    (ends / "a-3.json").write_text("{")
    (ends / "a-4.json").write_text(json.dumps(numbers | {"reason": "running", "pid": -1}))
    (ends / "a-5.json.tmp").write_text(json.dumps(numbers | {"reason": "running"}))
    (ends / "a-6.json").write_text(
        json.dumps(numbers | {"reason": "running", "boot_id": "of a boot before"})
    )
    (found,) = running(ends, logs=logs)
    assert (found.name, found.pid, found.shim_pid) == ("a-1", 10, 9)
    assert found.log_path == str(logs / "a-1.log")
    assert found.end_path == str(ends / "a-1.json")
    assert running(tmp_path / "missing", logs=logs) == ()


def test_an_unknown_end_with_the_code_of_its_shim_says_both() -> None:
    end = End(reason="unknown", exit_code=7, detail="the record is gone", lived_s=0.0)
    assert "7" in end.sentence
    assert "the record is gone" in end.sentence
