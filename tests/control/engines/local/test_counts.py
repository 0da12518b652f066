"""How many replicas there are, told to the replicas themselves."""

from pathlib import Path

import pytest

from mainstay.control.engines.local.counts import ReplicaCounts
from mainstay.control.engines.local.records import StateNotSaved


def test_each_service_has_a_private_file(tmp_path: Path) -> None:
    ReplicaCounts(tmp_path).tell({"web": 3, "store": 1})
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"web.replicas": "3", "store.replicas": "1"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    counts = ReplicaCounts(tmp_path)
    counts.tell({"web": 3, "api": 2})
    before = (tmp_path / "api.replicas").stat().st_ino
    counts.tell({"web": 12, "api": 2})
    assert (tmp_path / "web.replicas").read_text() == "12"
    assert (tmp_path / "api.replicas").stat().st_ino == before


def test_the_next_daemon_writes_anew(tmp_path: Path) -> None:
    ReplicaCounts(tmp_path).tell({"web": 3})
    ReplicaCounts(tmp_path).tell({"web": 5})
    assert (tmp_path / "web.replicas").read_text() == "5"


def test_what_cannot_be_written_leaves_the_old_number_and_is_tried_again(tmp_path: Path) -> None:
    counts = ReplicaCounts(tmp_path)
    counts.tell({"web": 3})
    (tmp_path / "web.replicas.new").mkdir()
    with pytest.raises(StateNotSaved, match=r"web\.replicas"):
        counts.tell({"web": 4})
    assert (tmp_path / "web.replicas").read_text() == "3"
    (tmp_path / "web.replicas.new").rmdir()
    counts.tell({"web": 4})
    assert (tmp_path / "web.replicas").read_text() == "4"
